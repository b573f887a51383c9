"""The control plane's own figures; Envoy's join them at /metrics."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

APPLY_SECONDS: Final = Histogram(
    "suuupra_gateway_apply_seconds",
    "From a change in the cluster being seen to its being live in Envoy.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
REJECTED: Final = Counter(
    "suuupra_gateway_config_rejected_total", "Configurations of a service that Envoy refused."
)
ROUTES: Final = Gauge("suuupra_gateway_routes", "Routes by what became of them.", ["state"])
SOURCE_AGE: Final = Gauge("suuupra_gateway_source_age_seconds", "Since the API server was last heard.")
UPDATED: Final = Gauge(
    "suuupra_gateway_config_timestamp_seconds", "When the live configuration was last changed."
)

_RENAMED: Final = (
    (b"envoy_suuupra_gateway_requests", b"suuupra_gateway_requests_total"),
    (b"envoy_suuupra_gateway_request_duration", b"suuupra_gateway_request_duration_milliseconds"),
)


def under_our_names(exposition: bytes) -> bytes:
    """Envoy's text with our own per-route metrics under the platform's prefix. Envoy puts its name before all."""
    for theirs, ours in _RENAMED:
        exposition = exposition.replace(theirs, ours)
    return exposition
