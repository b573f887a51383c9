"""/livez, /readyz and /metrics of the operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], str]
"""Says what is wrong; empty when nothing is."""


class Server:
    """A small HTTP server in the operator's own event loop: a loop that hangs does not answer, and is restarted."""

    def __init__(self, port: int, *, live: Check, ready: Check, scraped: Callable[[], None]) -> None:
        self._port, self._scraped = port, scraped
        app = web.Application()
        app.router.add_get("/livez", _answering(live))
        app.router.add_get("/readyz", _answering(ready))
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)

    async def open(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        self._scraped()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answering(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        wrong = check()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    return handler
