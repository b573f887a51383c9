"""The operations port: /livez, /readyz and /metrics, apart from the API so that no route or limit can reach it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from suuupra import logs
from suuupra.health import Health

Exposition = Callable[[], Awaitable[bytes]]
"""Gives further metrics, of a process beside ours, in Prometheus' text format."""

SKIPPED: Final = Counter(
    "suuupra_expositions_skipped_total", "Further metrics left out of a scrape because they failed."
)

_log = logs.get_logger(__name__)


class OpsApp:
    """An ASGI application of three paths."""

    def __init__(
        self,
        health: Health,
        *,
        expositions: Sequence[Exposition] = (),
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._health = health
        self._expositions = expositions
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._respond(Request(scope))
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        match request.url.path:
            case "/livez":
                return _json(200, {"alive": True})
            case "/readyz":
                return await self._readyz()
            case "/metrics":
                return await self._metrics(request.headers.get("accept", ""))
            case _:
                return _json(404, {"paths": ["/livez", "/readyz", "/metrics"]})

    async def _readyz(self) -> Response:
        results = await self._health.readiness()
        ready = all(result.reason is None for result in results if result.required)
        return _json(
            200 if ready else 503, {"ready": ready, "checks": [asdict(result) for result in results]}
        )

    async def _metrics(self, accept: str) -> Response:
        if not self._expositions:
            encode, content_type = choose_encoder(accept)
            return Response(encode(self._registry), media_type=None, headers={"content-type": content_type})
        # OpenMetrics must end with our own EOF line, so with others' text behind it the older format is spoken.
        parts = [generate_latest(self._registry), *[await self._further(one) for one in self._expositions]]
        return Response(b"".join(parts), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _further(self, exposition: Exposition) -> bytes:
        try:
            return await exposition()
        # Whatever it is that failed, our own metrics must still be told, and this one's absence counted.
        except Exception as error:  # noqa: BLE001
            SKIPPED.inc()
            _log.warning("further metrics were skipped", error=str(error), kind=type(error).__name__)
            return b""


def _json(status: int, content: object) -> Response:
    return Response(json.dumps(content), status_code=status, media_type="application/json")
