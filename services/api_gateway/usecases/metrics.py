"""The control plane's own figures; Envoy's join them at /metrics."""

import re
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

_ANSWERS: Final = (b"envoy_suuupra_gateway_answers", b"suuupra_gateway_answers_total")
_DURATION: Final = (b"envoy_suuupra_gateway_duration", b"suuupra_http_request_duration_seconds")
_BOUND: Final = re.compile(rb'le="([0-9.]+)"')


def under_our_names(exposition: bytes) -> bytes:
    """Envoy's text, with what it measured of requests under the names every service uses.

    So dashboards and alerts made from the gateway's own SLO speak of the whole edge. Envoy measures in milliseconds;
    the family's type was told before, by the control plane's own requests.
    """
    return b"\n".join(
        _under_our_name(line) for line in exposition.split(b"\n") if not _is_type_of_duration(line)
    )


def _under_our_name(line: bytes) -> bytes:
    if line.startswith(_DURATION[0]):
        return _in_seconds(line.replace(*_DURATION, 1))
    return line.replace(*_ANSWERS, 1)


def _in_seconds(line: bytes) -> bytes:
    series, _, value = _BOUND.sub(_bound_in_seconds, line).rpartition(b" ")
    if b"_sum{" in series:
        value = b"%g" % (float(value) / 1000)
    return series + b" " + value


def _bound_in_seconds(found: re.Match[bytes]) -> bytes:
    return b'le="%s"' % repr(float(found[1]) / 1000).encode()


def _is_type_of_duration(line: bytes) -> bool:
    return line.startswith(b"# TYPE " + _DURATION[0])
