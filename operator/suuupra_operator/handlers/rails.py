"""Events of PaymentRails."""

from __future__ import annotations

from typing import Any

import kopf

from suuupra_operator.kinds import RAIL
from suuupra_operator.primaries import Primaries


def register(registry: kopf.OperatorRegistry, primaries: Primaries) -> None:
    """As for services."""

    @kopf.on.event(RAIL.api_version, RAIL.plural, registry=registry)
    async def changed(type: str | None, event: kopf.RawEvent, **_: Any) -> None:
        head = {"apiVersion": RAIL.api_version, "kind": RAIL.name}
        primaries.event(type, head | dict(event["object"]))
