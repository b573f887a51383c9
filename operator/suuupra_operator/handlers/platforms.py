"""Events of the SuuupraPlatform."""

from __future__ import annotations

from typing import Any

import kopf

from suuupra_operator.kinds import PLATFORM
from suuupra_operator.primaries import Primaries


def register(registry: kopf.OperatorRegistry, primaries: Primaries) -> None:
    """See `handlers.services.register`."""

    @kopf.on.event(PLATFORM.api_version, PLATFORM.plural, registry=registry)
    async def changed(type: str | None, event: kopf.RawEvent, **_: Any) -> None:
        head = {"apiVersion": PLATFORM.api_version, "kind": PLATFORM.name}
        primaries.event(type, head | dict(event["object"]))
