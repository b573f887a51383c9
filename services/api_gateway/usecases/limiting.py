"""Answers Envoy's questions about callers who near a limit: a socket of this process, and Valkey behind it.

It never stands in a request's way: without Valkey every answer is yes, at once, and Envoy's own limits decide alone.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from services.api_gateway.domain import asking
from services.api_gateway.domain.gcra import Keyed, Verdict
from services.api_gateway.store import CountersAway
from services.api_gateway.usecases.metrics import LIMIT_ANSWERS, LIMIT_SECONDS
from suuupra import logs

_log = logs.get_logger(__name__)
PAUSE_SECONDS: Final = 1.0
"""How long Valkey is left alone after it did not answer: meanwhile nobody waits for it."""
LONGEST_BYTES: Final = 64 * 1024
"""Of a question's first line and of each field: they hold the request's path, its token and the token's claims, and Envoy
takes up to 32 KiB of them all together. What is refused here would be refused to the caller."""


class Buckets(Protocol):
    """Where requests are counted."""

    async def take(self, buckets: Sequence[Keyed]) -> Verdict:
        """Count one request against all of them, or none. Raises CountersAway."""

    async def close(self) -> None:
        """Let go of connections."""


class Limiter:
    """A Runnable that answers on a socket."""

    name = "limits"

    def __init__(self, socket: Path, buckets: Buckets) -> None:
        self._socket = socket
        self._buckets = buckets
        self._stopping = asyncio.Event()
        self._away_until = 0.0

    async def run(self) -> None:
        """Answer until stop()."""
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        server = web.Server(
            self._answer, access_log=None, max_line_size=LONGEST_BYTES, max_field_size=LONGEST_BYTES
        )
        runner = web.ServerRunner(server)
        await runner.setup()
        try:
            await web.UnixSite(runner, str(self._socket)).start()
            await self._stopping.wait()
        finally:
            await runner.cleanup()
            await self._buckets.close()
            with contextlib.suppress(OSError):
                self._socket.unlink(missing_ok=True)

    async def stop(self) -> None:
        self._stopping.set()

    def health(self) -> str | None:
        """Always well: a gateway without Valkey serves."""
        return None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.perf_counter()
        try:
            question = asking.read(request.headers)
        except asking.Unreadable as error:
            _log.error("Envoy asked what cannot be read", reason=str(error))
            return _yes("unreadable")
        verdict = await self._decide(question)
        LIMIT_SECONDS.observe(time.perf_counter() - began)
        if verdict is None:
            return _yes("open")
        LIMIT_ANSWERS.labels("admitted" if verdict.admitted else "refused").inc()
        told = asking.answer(question, verdict)
        return web.Response(status=200 if verdict.admitted else 429, headers=told)

    async def _decide(self, question: asking.Question) -> Verdict | None:
        """None while Valkey is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return await self._buckets.take(question.buckets)
        except CountersAway as error:
            self._away_until = time.monotonic() + PAUSE_SECONDS
            _log.warning("limits are kept by each gateway alone: Valkey does not answer", reason=str(error))
            return None


def _yes(why: str) -> web.Response:
    """Nobody counted it in common."""
    LIMIT_ANSWERS.labels(why).inc()
    return web.Response(headers={asking.ALONE: "true"})
