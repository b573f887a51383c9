"""Retries: any request that certainly reached no service, and safe requests that got no answer.

Envoy keeps one retry policy per route, not per method. The policy holds what is safe for every method; a filter adds
the wider conditions to safe methods (RFC 9110, 9.2.1) by header. Splitting routes by method instead would give each
half its own rate limit.
"""

from typing import Final

from services.api_gateway.domain.envoy.messages import Message, extension, set_header, typed

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")

_ALWAYS: Final = "connect-failure,refused-stream,reset-before-request"
_SAFE: Final = "reset,retriable-status-codes"
_ATTEMPTS: Final = 3


def retry_policy() -> Message:
    """Up to three more attempts, each on another pod where there is one, within the cluster's budget."""
    other_host = "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "retry_on": _ALWAYS,
        "num_retries": _ATTEMPTS,
        "retriable_status_codes": [503],
        "retry_host_predicate": [extension("envoy.retry_host_predicates.previous_hosts", other_host)],
        "host_selection_retry_max_attempts": 5,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    }


def safe_methods_filter() -> Message:
    """Adds the wider retry conditions to requests with a safe method."""
    return extension(
        "suuupra.safe-retries",
        "extensions.common.matching.v3.ExtensionWithMatcher",
        extension_config=extension(
            "envoy.filters.http.header_mutation",
            "extensions.filters.http.header_mutation.v3.HeaderMutation",
            mutations={"request_mutations": [{"append": set_header("x-envoy-retry-on", _SAFE)}]},
        ),
        xds_matcher=_skip_unless_safe(),
    )


def _skip_unless_safe() -> Message:
    method = extension("method", "type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":method")
    safe = {"safe_regex": {"google_re2": {}, "regex": "|".join(SAFE_METHODS)}}
    unsafe = {"not_matcher": {"single_predicate": {"input": method, "value_match": safe}}}
    skip = {"name": "skip", "typed_config": typed("extensions.filters.common.matcher.action.v3.SkipFilter")}
    return {"matcher_list": {"matchers": [{"predicate": unsafe, "on_match": {"action": skip}}]}}
