"""What is special to the alerts of a service: services/FOLDER/ops/alerts.yaml, which the operator's image carries.

Why there, and not beside the service: docs/decisions/0008-special-alerts-travel-with-the-operator.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml


def read(services: Path | None) -> Mapping[str, str]:
    """Service → its rule file, as text; nothing where there is no such folder.

    Raises:
        yaml.YAMLError: one of them is no YAML. Read once, at the start: an operator that runs can use them all.
    """
    if services is None:
        return {}
    texts = {_service(path): path.read_text(encoding="utf-8") for path in services.glob("*/ops/alerts.yaml")}
    for text in texts.values():
        yaml.safe_load(text)
    return texts


def _service(path: Path) -> str:
    return path.parents[1].name.replace("_", "-")
