"""Prometheus rules from the resource's SLO: multi-window, multi-burn-rate alerts.

Source: Google SRE Workbook, chapter 5, "6: Multiwindow, Multi-Burn-Rate Alerts"; windows and factors as there.
"""

from __future__ import annotations

from typing import Any

from suuupra_operator.desired.series import REQUESTS, labels, selector
from suuupra_operator.desired.subject import Subject
from suuupra_operator.schema import seconds

Rule = dict[str, Any]
RUNBOOK = "docs/runbooks/alerts.md"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "3d")
#: Factor of the error budget's even burn, long and short window, how long it must hold, how urgent.
BURNS = (
    (14.4, "1h", "5m", "2m", "page"),
    (6.0, "6h", "30m", "15m", "page"),
    (1.0, "3d", "6h", "1h", "ticket"),
)


def rules(subject: Subject) -> list[Rule]:
    """Recorded error ratios, and the alerts on them and on latency."""
    recorded = [_recorded(subject, window) for window in WINDOWS]
    return [*recorded, *[_burn(subject, *burn) for burn in BURNS], _latency(subject)]


def _recorded(subject: Subject, window: str) -> Rule:
    """Share of requests that ended in a server error; 0 when there was none at all."""
    failing = selector(subject, 'status="5xx"')
    failed = f"sum(rate({REQUESTS}_count{{{failing}}}[{window}])) or vector(0)"
    total = f"sum(rate({REQUESTS}_count{{{selector(subject)}}}[{window}])) > 0"
    return {
        "record": f"suuupra:errors:ratio_{window}",
        "expr": f"({failed}) / ({total})",
        "labels": labels(subject),
    }


def _burn(subject: Subject, factor: float, long: str, short: str, hold: str, severity: str) -> Rule:
    budget = round((100 - subject.spec.slo.availability) / 100, 6)
    threshold = f"{factor:g} * {budget:g}"
    series = ",".join(f'{key}="{value}"' for key, value in labels(subject).items())
    over = [f"suuupra:errors:ratio_{window}{{{series}}} > {threshold}" for window in (long, short)]
    return {
        "alert": f"ErrorBudgetBurn{factor:g}x".replace(".", "_"),
        "expr": " and ".join(over),
        "for": hold,
        "labels": labels(subject) | {"severity": severity, "burn": f"{factor:g}"},
        "annotations": {
            "summary": f"{subject.name} spends its error budget {factor:g} times too fast",
            "description": (
                f"More than {threshold} of the requests failed over {long} and over {short}; "
                f"the promise is {subject.spec.slo.availability:g} %. "
                f"Begin with: kubectl -n {subject.namespace} describe suuupraservice {subject.name}"
            ),
            "runbook": f"{RUNBOOK}#errorbudgetburn",
        },
    }


def _latency(subject: Subject) -> Rule:
    limit = seconds(subject.spec.slo.latency_p99)
    rate = f"sum by (le) (rate({REQUESTS}_bucket{{{selector(subject)}}}[5m]))"
    return {
        "alert": "LatencyAbovePromise",
        "expr": f"histogram_quantile(0.99, {rate}) > {limit:g}",
        "for": "10m",
        "labels": labels(subject) | {"severity": "ticket"},
        "annotations": {
            "summary": f"{subject.name} answers slower than {subject.spec.slo.latency_p99} (p99)",
            "description": "One request in a hundred took longer than promised for ten minutes.",
            "runbook": f"{RUNBOOK}#latencyabovepromise",
        },
    }
