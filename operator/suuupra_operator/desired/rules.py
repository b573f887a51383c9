"""Prometheus rules from the resource's SLO: multi-window, multi-burn-rate alerts.

Source: Google SRE Workbook, chapter 5, "6: Multiwindow, Multi-Burn-Rate Alerts"; windows and factors as there.
"""

from __future__ import annotations

from typing import Any

import yaml

from suuupra_operator.desired.subject import Manifest, Subject
from suuupra_operator.schema import seconds

METRIC = "suuupra_http_request_duration_seconds"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "3d")
#: Factor of the error budget's even burn, long and short window, how long it must hold, how urgent.
BURNS = (
    (14.4, "1h", "5m", "2m", "page"),
    (6.0, "6h", "30m", "15m", "page"),
    (1.0, "3d", "6h", "1h", "ticket"),
)


def rules(subject: Subject) -> Manifest:
    """ConfigMap that the watcher beside Prometheus turns into a rule file."""
    manifest = subject.manifest("v1", "ConfigMap", f"{subject.name}-rules", "serve")
    manifest["metadata"]["labels"]["suuupra.io/prometheus-rules"] = "true"
    text = yaml.safe_dump({"groups": [_group(subject)]}, sort_keys=False, width=200)
    return manifest | {"data": {"rules.yaml": text}}


def selector(subject: Subject, *more: str) -> str:
    """Label selector of the resource's serving pods."""
    return ",".join(
        [f'namespace="{subject.namespace}"', f'service="{subject.name}"', 'component="serve"', *more]
    )


def _group(subject: Subject) -> dict[str, Any]:
    recorded = [_recorded(subject, window) for window in WINDOWS]
    down = [_down(subject)] if subject.spec.replicas.min > 0 else []
    return {
        "name": f"{subject.namespace}-{subject.name}",
        "interval": "15s",
        "rules": [*recorded, *[_burn(subject, *burn) for burn in BURNS], _latency(subject), *down],
    }


def _recorded(subject: Subject, window: str) -> dict[str, Any]:
    """Share of requests that ended in a server error; 0 when there was none at all."""
    failing = selector(subject, 'status="5xx"')
    failed = f"sum(rate({METRIC}_count{{{failing}}}[{window}])) or vector(0)"
    total = f"sum(rate({METRIC}_count{{{selector(subject)}}}[{window}])) > 0"
    return {
        "record": f"suuupra:errors:ratio_{window}",
        "expr": f"({failed}) / ({total})",
        "labels": _labels(subject),
    }


def _burn(subject: Subject, factor: float, long: str, short: str, hold: str, severity: str) -> dict[str, Any]:
    budget = round((100 - subject.spec.slo.availability) / 100, 6)
    threshold = f"{factor:g} * {budget:g}"
    series = ",".join(f'{key}="{value}"' for key, value in _labels(subject).items())
    over = [f"suuupra:errors:ratio_{window}{{{series}}} > {threshold}" for window in (long, short)]
    return {
        "alert": f"ErrorBudgetBurn{factor:g}x".replace(".", "_"),
        "expr": " and ".join(over),
        "for": hold,
        "labels": _labels(subject) | {"severity": severity, "burn": f"{factor:g}"},
        "annotations": {
            "summary": f"{subject.name} spends its error budget {factor:g} times too fast",
            "description": (
                f"More than {threshold} of the requests failed over {long} and over {short}; "
                f"the promise is {subject.spec.slo.availability:g} %. "
                f"Begin with: kubectl -n {subject.namespace} describe suuupraservice {subject.name}"
            ),
        },
    }


def _latency(subject: Subject) -> dict[str, Any]:
    limit = seconds(subject.spec.slo.latency_p99)
    rate = f"sum by (le) (rate({METRIC}_bucket{{{selector(subject)}}}[5m]))"
    return {
        "alert": "LatencyAbovePromise",
        "expr": f"histogram_quantile(0.99, {rate}) > {limit:g}",
        "for": "10m",
        "labels": _labels(subject) | {"severity": "ticket"},
        "annotations": {
            "summary": f"{subject.name} answers slower than {subject.spec.slo.latency_p99} (p99)",
            "description": "One request in a hundred took longer than promised for ten minutes.",
        },
    }


def _down(subject: Subject) -> dict[str, Any]:
    return {
        "alert": "NoPodAnswers",
        "expr": f"absent(up{{{selector(subject)}}} == 1)",
        "for": "2m",
        "labels": _labels(subject) | {"severity": "page"},
        "annotations": {
            "summary": f"No serving pod of {subject.name} is being scraped",
            "description": f"kubectl -n {subject.namespace} get pods -l app.kubernetes.io/instance={subject.name}",
        },
    }


def _labels(subject: Subject) -> dict[str, str]:
    return {"namespace": subject.namespace, "service": subject.name}
