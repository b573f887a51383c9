"""The control plane's own figures; Envoy's join them at /metrics."""

import re
from collections import defaultdict
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

APPLY_SECONDS: Final = Histogram(
    "suuupra_gateway_apply_seconds",
    "From a change in the cluster being seen to its being live in Envoy.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
LATE: Final = Counter(
    "suuupra_gateway_configurations_late_total",
    "Configurations that Envoy did not take in time; each is offered again.",
)
LIMIT_ANSWERS: Final = Counter(
    "suuupra_gateway_limit_answers_total",
    "Questions about callers near a limit: admitted, refused, or open while Valkey is away.",
    ["answer"],
)
LIMIT_SECONDS: Final = Histogram(
    "suuupra_gateway_limit_seconds",
    "From such a question to its answer.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
)
REJECTED: Final = Counter(
    "suuupra_gateway_config_rejected_total", "Configurations of a service that Envoy refused."
)
ROUTES: Final = Gauge("suuupra_gateway_routes", "Routes by what became of them.", ["state"])
SOURCE_AGE: Final = Gauge("suuupra_gateway_source_age_seconds", "Since the API server was last heard.")
UPDATED: Final = Gauge(
    "suuupra_gateway_config_timestamp_seconds", "When the live configuration was last changed."
)

_SAMPLE: Final = re.compile(
    r"^envoy_suuupra_gateway_duration_(?P<kind>bucket|sum|count)"
    r'\{(?P<labels>.*?),status="(?P<status>[^"]*)"(?:,le="(?P<bound>[^"]*)")?\} (?P<value>\S+)$'
)
_FAMILY: Final = "suuupra_http_request_duration_seconds"
_ANSWERS: Final = "suuupra_gateway_answers_total"


def under_our_names(exposition: str) -> str:
    """Envoy's text, with what it measured of requests under the names every service uses.

    So dashboards and alerts made from the gateway's own SLO speak of the whole edge: seconds instead of milliseconds,
    classes of status instead of codes. The codes are kept as a counter of their own. The family's type was told
    before, by the control plane's own requests.
    """
    theirs: list[str] = []
    ours: defaultdict[str, float] = defaultdict(float)
    for line in exposition.splitlines():
        if found := _SAMPLE.match(line):
            _add(ours, found)
        elif "envoy_suuupra_gateway_duration" not in line:
            theirs.append(line)
    return "\n".join([*theirs, *(f"{series} {value:.15g}" for series, value in ours.items()), ""])


def _add(ours: defaultdict[str, float], found: re.Match[str]) -> None:
    labels, status, value = found["labels"], found["status"], float(found["value"])
    series = f'{_FAMILY}_{found["kind"]}{{{labels},status="{status[:1]}xx"'
    match found["kind"]:
        case "bucket":
            ours[f'{series},le="{_seconds(found["bound"])}"}}'] += value
        case "sum":
            ours[f"{series}}}"] += value / 1000
        case _:
            ours[f"{series}}}"] += value
            ours[f'{_ANSWERS}{{{labels},status="{status}"}}'] += value


def _seconds(bound: str) -> str:
    return bound if bound == "+Inf" else repr(float(bound) / 1000)
