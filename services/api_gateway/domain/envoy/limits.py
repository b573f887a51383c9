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
_KIND: Final = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


def limit_filter() -> Message:
    """Limits nothing by itself: routes carry their limits."""
    return extension(LIMIT_FILTER, _KIND, stat_prefix="gateway")


def limit_rule(limit: Limit, auth: Auth, *, callers: int) -> Message:
    """The filter's configuration on a route."""
    bucket = _bucket(limit)
    callers_of = _subject_or_address() if _by_subject(limit, auth) else [_address()]
    return typed(
        _KIND,
        stat_prefix="gateway",
        token_bucket=bucket,
        always_consume_default_token_bucket=False,
        filter_enabled={"default_value": percent(100)},
        filter_enforced={"default_value": percent(100)},
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        enable_retry_after_header=True,
        max_dynamic_descriptors=callers,
        rate_limits=[{"actions": caller.actions} for caller in callers_of],
        descriptors=[{"entries": caller.entries, "token_bucket": bucket} for caller in callers_of],
    )


def _by_subject(limit: Limit, auth: Auth) -> bool:
    return limit.by is LimitBy.SUBJECT and auth is not Auth.NONE


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


def _subject_or_address() -> list[_Caller]:
    """The subject of a verified token; the address of whoever showed none, never both."""
    key = {"key": JWT, "path": [{"key": PAYLOAD}, {"key": "sub"}]}
    subject: Message = {"metadata": {"descriptor_key": "subject", "metadata_key": key, "source": "DYNAMIC"}}
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
    return [_Caller([subject], [{"key": "subject"}]), _Caller([anonymous, *address.actions], entries)]
