"""Local rate limits: one token bucket per caller and route, in this Envoy's memory.

A bucket is found by the caller's subject or address. Envoy makes it at the first request and forgets the least
recently used. A request whose caller cannot be told falls to the route's own bucket of the same size, so nothing
passes uncounted. IPv6 callers are counted by /64, which is what one subscriber holds (RFC 6177).
"""

from dataclasses import dataclass
from typing import Final

from services.api_gateway.contract import PAYLOAD_HEADER
from services.api_gateway.domain.envoy.messages import JWT, PAYLOAD, Message, extension, percent, typed
from services.api_gateway.domain.routes import Auth, Limit, LimitBy

LIMIT_FILTER: Final = "envoy.filters.http.local_ratelimit"
LOCAL: Final = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


def limit_filter() -> Message:
    """Limits nothing by itself: routes carry their limits."""
    return extension(LIMIT_FILTER, LOCAL, stat_prefix="gateway")


def limit_rule(limit: Limit, auth: Auth, *, callers: int) -> Message:
    """The filter's configuration on a route."""
    rule = local_rule(limit, auth, _bucket(limit), callers=callers, enforced=100)
    return {**rule, "enable_x_ratelimit_headers": "DRAFT_VERSION_03", "enable_retry_after_header": True}


def local_rule(limit: Limit, auth: Auth, bucket: Message, *, callers: int, enforced: int) -> Message:
    """A bucket per caller of the route, for `enforced` percent of the requests that find it empty."""
    claim = _claim(limit, auth)
    callers_of = _claim_or_address(*claim) if claim else [_address()]
    return typed(
        LOCAL,
        stat_prefix="gateway",
        token_bucket=bucket,
        always_consume_default_token_bucket=False,
        filter_enabled={"default_value": percent(100)},
        filter_enforced={"default_value": percent(enforced)},
        max_dynamic_descriptors=callers,
        rate_limits=[{"actions": caller.actions} for caller in callers_of],
        descriptors=[{"entries": caller.entries, "token_bucket": bucket} for caller in callers_of],
    )


def _claim(limit: Limit, auth: Auth) -> tuple[str, str] | None:
    """By which claim of a token callers are told apart, and its name in descriptors; None: by address."""
    known = {LimitBy.SUBJECT: ("subject", "sub"), LimitBy.CLIENT: ("client", "client_id")}
    return None if auth is Auth.NONE else known.get(limit.by)


def _bucket(limit: Limit) -> Message:
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
