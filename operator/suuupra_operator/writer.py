"""How a resource itself is written: its finalizer and its status, each only when it changes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.errors import ApiError
from suuupra_operator.kinds import kind_of
from suuupra_operator.primaries import Primaries
from suuupra_operator.schema import Model
from suuupra_operator.writes import Gate, Write

log = logging.getLogger(__name__)

FINALIZER = "suuupra.io/operator"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Writer:
    """Writes to SuuupraServices and the SuuupraPlatform."""

    def __init__(self, cluster: Cluster, gate: Gate, primaries: Primaries) -> None:
        self._cluster, self.gate, self._primaries = cluster, gate, primaries

    async def status(self, obj: Object, status: Model) -> Object:
        """Patch what differs; returns the object as it is then."""
        patch = _difference(obj.get("status", {}), status.manifest())
        if not patch:
            return obj
        log.debug("status of %s: %s", obj["metadata"]["name"], patch)
        async with self.gate.kubernetes(Write.STATUS):
            written = await self._cluster.merge(_path(obj, "status"), {"status": patch})
        self._primaries.wrote(written)
        return written

    async def add_finalizer(self, obj: Object) -> Object:
        """So that the resource cannot vanish before what was made for it is dealt with."""
        held = obj["metadata"].get("finalizers", [])
        if FINALIZER in held:
            return obj
        async with self.gate.kubernetes(Write.FINALIZER_ADDED):
            written = await self._finalizers(obj, [*held, FINALIZER])
        self._primaries.wrote(written)
        return written

    async def remove_finalizer(self, obj: Object) -> None:
        """Let the resource go. Already gone is fine."""
        held = obj["metadata"].get("finalizers", [])
        if FINALIZER not in held:
            return
        try:
            async with self.gate.kubernetes(Write.FINALIZER_REMOVED):
                await self._finalizers(obj, [name for name in held if name != FINALIZER])
        except ApiError as error:
            if not error.missing:
                raise

    async def _finalizers(self, obj: Object, names: list[str]) -> Object:
        """Conditional on the version we know: somebody else's finalizer must not be lost."""
        meta = {"finalizers": names, "resourceVersion": obj["metadata"]["resourceVersion"]}
        return await self._cluster.merge(_path(obj), {"metadata": meta})


def _path(obj: Object, subresource: str = "") -> str:
    meta = obj["metadata"]
    return kind_of(obj).path(meta.get("namespace"), meta["name"], subresource)


def _difference(live: Object, wanted: Object) -> dict[str, Any]:
    """A merge patch on the first level: lists and maps are replaced whole, what is not wanted is removed."""
    changed = {key: value for key, value in wanted.items() if live.get(key) != value}
    return changed | {key: None for key in live if key not in wanted}
