"""Local rate limits: one token bucket per caller and limit, in this Envoy's memory.

A bucket is found by the caller's subject, client or address. Envoy makes it at the first request and forgets the least
recently used. A request whose caller cannot be told falls to a bucket of the route's own, so nothing passes uncounted.
IPv6 callers are counted by /64, which is what one subscriber holds (RFC 6177).

Of several limits Envoy takes from one bucket after another, the slowest first, and puts nothing back when a later one is
empty. So it decides about several only where they are not counted in common (see `joint_limits`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from services.api_gateway.contract import PAYLOAD_HEADER
from services.api_gateway.domain.envoy.messages import JWT, PAYLOAD, Message, extension, percent, typed
from services.api_gateway.domain.routes import Auth, Limit, LimitBy

LIMIT_FILTER: Final = "envoy.filters.http.local_ratelimit"
LOCAL: Final = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
Mark = Callable[[Limit], Message]
"""The action that begins every descriptor of a limit and names it; without what it asks for, the limit is not met."""


def limit_filter() -> Message:
    """Limits nothing by itself: routes carry their limits."""
    return extension(LIMIT_FILTER, LOCAL, stat_prefix="gateway")


def limit_rule(limits: Sequence[Limit], auth: Auth, *, callers: int) -> Message:
    """The filter's configuration on a route. Of several limits the answer does not say which bucket it tells of, so
    what is left is told of one only."""
    shortest = min(limits, key=lambda limit: limit.rate.seconds)
    rule = local_rule(
        [(limit, bucket(limit)) for limit in limits], auth, rest=bucket(shortest), callers=callers
    )
    told = {"enable_x_ratelimit_headers": "DRAFT_VERSION_03"} if len(limits) == 1 else {}
    return {**rule, **told, "enable_retry_after_header": True}


def _named(limit: Limit) -> Message:
    return {"generic_key": {"descriptor_key": "limit", "descriptor_value": limit.name}}


def local_rule(
    buckets: Sequence[tuple[Limit, Message]],
    auth: Auth,
    *,
    rest: Message,
    callers: int,
    enforced: int = 100,
    mark: Mark = _named,
) -> Message:
    """A bucket per caller and limit of the route, for `enforced` percent of the requests that find one empty.

    `rest` is the bucket of requests that belong to no other. Its interval must divide the others' (Envoy's rule).
    """
    parts = [(limit, size, caller) for limit, size in buckets for caller in _callers(limit, auth)]
    return typed(
        LOCAL,
        stat_prefix="gateway",
        token_bucket=rest,
        always_consume_default_token_bucket=False,
        filter_enabled={"default_value": percent(100)},
        filter_enforced={"default_value": percent(enforced)},
        max_dynamic_descriptors=callers,
        rate_limits=[{"actions": [mark(limit), *caller.actions]} for limit, _, caller in parts],
        descriptors=[
            {"entries": [{"key": "limit", "value": limit.name}, *caller.entries], "token_bucket": size}
            for limit, size, caller in parts
        ],
    )


def bucket(limit: Limit) -> Message:
    """The whole of a limit."""
    return {
        "max_tokens": limit.bucket,
        "tokens_per_fill": limit.rate.requests,
        "fill_interval": f"{limit.rate.seconds}s",
    }


@dataclass(frozen=True)
class _Caller:
    """How a caller is told apart, and the descriptor entries that come of it (no value: any value)."""

    actions: list[Message]
    entries: list[Message]


def _callers(limit: Limit, auth: Auth) -> list[_Caller]:
    known = {LimitBy.SUBJECT: ("subject", "sub"), LimitBy.CLIENT: ("client", "client_id")}
    claim = None if auth is Auth.NONE else known.get(limit.by)
    return _claim_or_address(*claim) if claim else [_address()]


def _address() -> _Caller:
    masks = {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}
    return _Caller([{"masked_remote_address": masks}], [{"key": "masked_remote_address"}])


def _claim_or_address(name: str, claim: str) -> list[_Caller]:
    """A claim of a verified token; the address of whoever showed none, never both."""
    key = {"key": JWT, "path": [{"key": PAYLOAD}, {"key": claim}]}
    known: Message = {"metadata": {"descriptor_key": name, "metadata_key": key, "source": "DYNAMIC"}}
    anonymous: Message = {
        "header_value_match": {
            "descriptor_key": "caller",
            "descriptor_value": "anonymous",
            "expect_match": False,
            "headers": [{"name": PAYLOAD_HEADER, "present_match": True}],
        }
    }
    address = _address()
    entries = [{"key": "caller", "value": "anonymous"}, *address.entries]
    return [_Caller([known], [{"key": name}]), _Caller([anonymous, *address.actions], entries)]
