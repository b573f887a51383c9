"""Kubernetes Events about a resource: few, each in words a person can act on."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from suuupra_operator import metrics
from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.errors import ApiError, Unreachable
from suuupra_operator.writes import Gate, Write

log = logging.getLogger(__name__)

QUIET_SECONDS = 600.0
"""The same words about the same resource are posted once in this time."""
_REMEMBERED = 5000


@dataclass
class Recorder:
    """Posts Events; losing one is never a failure of the reconcile."""

    cluster: Cluster
    gate: Gate
    identity: str
    _posted: dict[tuple[str, str, str], float] = field(default_factory=dict)

    async def post(
        self, about: Object, kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        said = about["metadata"]["uid"], reason, message
        if time.monotonic() - self._posted.get(said, -QUIET_SECONDS) < QUIET_SECONDS:
            return
        self._remember(said)
        try:
            async with self.gate.kubernetes(Write.EVENT):
                await self.cluster.create(self._event(about, kind, reason, message))
        except (ApiError, Unreachable) as error:
            metrics.EVENTS_DROPPED.inc()
            log.warning("event %s about %s was not posted: %s", reason, about["metadata"]["name"], error)

    def _remember(self, said: tuple[str, str, str]) -> None:
        if len(self._posted) >= _REMEMBERED:
            for oldest in list(self._posted)[: _REMEMBERED // 2]:
                del self._posted[oldest]
        self._posted.pop(said, None)
        self._posted[said] = time.monotonic()

    def _event(self, about: Object, kind: str, reason: str, message: str) -> Object:
        meta, now = about["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        namespace = meta.get("namespace", "default")
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:12]}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta.get("namespace", ""),
                "uid": meta["uid"],
                "resourceVersion": meta["resourceVersion"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1000],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": "suuupra-operator"},
            "reportingComponent": "suuupra.io/operator",
            "reportingInstance": self.identity,
        }
