"""A Grafana dashboard per resource: the four golden signals, the error budget, and the pods' resources."""

from __future__ import annotations

import json
from typing import Any

from suuupra_operator.desired.series import REQUESTS, everywhere, selector
from suuupra_operator.desired.subject import Manifest, Subject, digest
from suuupra_operator.schema import seconds

Panel = dict[str, Any]
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_LONGEST_ID = 40
"""Characters that Grafana takes."""


def dashboard(subject: Subject) -> Manifest:
    """ConfigMap that Grafana's sidecar loads."""
    manifest = subject.manifest("v1", "ConfigMap", f"{subject.name}-dashboard", "serve")
    manifest["metadata"]["labels"]["grafana_dashboard"] = "1"
    text = json.dumps(_document(subject), sort_keys=True, separators=(",", ":"))
    return manifest | {"data": {f"{subject.namespace}-{subject.name}.json": text}}


def _document(subject: Subject) -> dict[str, Any]:
    return {
        "uid": _id(subject),
        "title": f"{subject.name} ({subject.namespace})",
        "tags": ["suuupra", "generated"],
        "schemaVersion": 41,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": [_placed(panel, place) for place, panel in enumerate(_panels(subject))],
    }


def _id(subject: Subject) -> str:
    """The dashboard's address: whole where it has room, else its beginning and a digest that tells it from others."""
    whole = f"suuupra-{subject.namespace}-{subject.name}"
    if len(whole) <= _LONGEST_ID:
        return whole
    told = digest(subject.namespace, subject.name)
    return f"{whole[: _LONGEST_ID - len(told) - 1]}-{told}"


def _panels(subject: Subject) -> list[Panel]:
    serving = selector(subject)
    failed = selector(subject, 'status="5xx"')
    pods = everywhere(subject)
    budget = (100 - subject.spec.slo.availability) / 100
    ratio = f"suuupra:errors:ratio_3d{{{pods}}}"
    return [
        _panel(
            "Traffic", "reqps", {"{{route}}": f"sum by (route) (rate({REQUESTS}_count{{{serving}}}[1m]))"}
        ),
        _panel(
            "Errors",
            "percentunit",
            {
                "failed": f"sum(rate({REQUESTS}_count{{{failed}}}[1m])) / sum(rate({REQUESTS}_count{{{serving}}}[1m]))"
            },
            limit=budget,
        ),
        _panel(
            "Latency",
            "s",
            {
                f"p{int(share * 100)}": (
                    f"histogram_quantile({share:g}, sum by (le) (rate({REQUESTS}_bucket{{{serving}}}[1m])))"
                )
                for share in (0.5, 0.95, 0.99)
            },
            limit=seconds(subject.spec.slo.latency_p99),
        ),
        _panel(
            "Saturation: requests in flight",
            "short",
            {"{{pod}}": f"suuupra_http_requests_in_flight{{{serving}}}"},
        ),
        _panel("Error budget left (3 days)", "percentunit", {"left": f"1 - ({ratio} / {budget:g})"}),
        _panel("CPU", "short", {"{{pod}}": f"rate(process_cpu_seconds_total{{{pods}}}[1m])"}),
        _panel("Memory", "bytes", {"{{pod}}": f"process_resident_memory_bytes{{{pods}}}"}),
        _panel("Ready checks", "short", {"{{check}}": f"min by (check) (suuupra_ready{{{pods}}})"}),
    ]


def _panel(title: str, unit: str, series: dict[str, str], *, limit: float | None = None) -> Panel:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if limit is not None:
        steps.append({"color": "red", "value": limit})
    return {
        "title": title,
        "type": "timeseries",
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "line" if limit is not None else "off"}},
            },
            "overrides": [],
        },
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "expr": expression,
                "legendFormat": legend,
                "datasource": _SOURCE,
            }
            for place, (legend, expression) in enumerate(series.items())
        ],
    }


def _placed(panel: Panel, place: int) -> Panel:
    row, column = divmod(place, _COLUMNS)
    position = {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
    return panel | {"id": place + 1, "gridPos": position}
