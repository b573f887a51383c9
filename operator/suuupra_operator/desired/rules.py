"""Prometheus rules of a resource: what follows from its SLO, what every worker needs, and what is its code's own."""

from __future__ import annotations

from typing import Any

import yaml

from suuupra_operator.desired import alerts, slo
from suuupra_operator.desired.subject import Manifest, Subject

Group = dict[str, Any]


def rules(subject: Subject, special: str = "") -> Manifest:
    """ConfigMap that the watcher beside Prometheus turns into rule files; ``special`` is the code's ops/alerts.yaml."""
    manifest = subject.manifest("v1", "ConfigMap", f"{subject.name}-rules", "serve")
    manifest["metadata"]["labels"]["suuupra.io/prometheus-rules"] = "true"
    own = alerts.special(subject, special)
    files = {"rules.yaml": [_group(subject)]} | ({"special.yaml": own} if own else {})
    return manifest | {"data": {name: _text(groups) for name, groups in files.items()}}


def _group(subject: Subject) -> Group:
    return {
        "name": f"{subject.namespace}-{subject.name}",
        "interval": "15s",
        "rules": [*slo.rules(subject), *alerts.always(subject)],
    }


def _text(groups: list[Group]) -> str:
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=200)
