"""Events of SuuupraServices."""

from __future__ import annotations

from typing import Any

import kopf

from suuupra_operator.kinds import SERVICE
from suuupra_operator.primaries import Primaries


def register(registry: kopf.OperatorRegistry, primaries: Primaries) -> None:
    """``on.event`` sees every change and, unlike kopf's other handlers, writes no annotation to the resource."""

    @kopf.on.event(SERVICE.api_version, SERVICE.plural, registry=registry)
    async def changed(type: str | None, event: kopf.RawEvent, **_: Any) -> None:
        head = {"apiVersion": SERVICE.api_version, "kind": SERVICE.name}
        primaries.event(type, head | dict(event["object"]))
