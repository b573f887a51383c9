"""`serve` and `work`: a service's two kinds of process, each with its operations port, from start to drained end."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Final

import uvicorn
import uvloop
from fastapi import FastAPI
from prometheus_client import disable_created_metrics
from starlette.types import ASGIApp

from suuupra import logs, running, telemetry
from suuupra.clock import Clock, SystemClock
from suuupra.edge import Activity, CutOff
from suuupra.health import Health
from suuupra.ops import OpsApp
from suuupra.resources import Resource, opened
from suuupra.running import Runnable, Signals
from suuupra.settings import ServiceSettings

KEEP_ALIVE_SECONDS: Final = 75
"""How long an idle connection is kept: longer than the gateway keeps it, so that the gateway closes first."""
CLOSE_SECONDS: Final = 5
"""How long connections get to finish their last response once no new one is accepted."""

_log = logs.get_logger(__name__)


class Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process before it is drained."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(_config(app))
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self.listening = asyncio.Event()

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's says more than the edge has said."""
    return record.exc_info is None or not isinstance(record.exc_info[1], CutOff)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )


class HttpServer:
    """The API's port, as an essential task."""

    name = "http"

    def __init__(
        self, app: ASGIApp, settings: ServiceSettings, activity: Activity, signals: Signals, clock: Clock
    ) -> None:
        self._settings = settings
        self._activity = activity
        self._signals = signals
        self._clock = clock
        self._server = Server(app)
        self._socket = listen(settings.http_host, settings.http_port)

    async def run(self) -> None:
        await self._server.serve(sockets=[self._socket])

    async def stop(self) -> None:
        """Drain: answer on, until those who send have noticed and nothing is in flight, then stop listening."""
        self._activity.drain()
        await self._noticed()
        await self._activity.idle()
        self._server.should_exit = True

    def health(self) -> str | None:
        return None if self._server.started else "not listening yet"

    async def _noticed(self) -> None:
        """Wait until endpoints had time to leave kube-proxy and the gateway, or until asked to hurry."""
        waits = [
            asyncio.ensure_future(self._clock.sleep(self._settings.drain_seconds)),
            asyncio.ensure_future(self._signals.hurry.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


class CannotListen(Exception):
    """The address is taken or not ours; the text names it."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror}; is another process there?"
        ) from error


@asynccontextmanager
async def ops_port(settings: ServiceSettings, app: OpsApp) -> AsyncIterator[None]:
    """Answer on the operations port inside, to the very end of the drain."""
    telemetry.BUILD.labels(settings.service, settings.name, settings.version).set(1)
    server = Server(app)
    port = listen(settings.ops_host, settings.ops_port)
    serving = asyncio.create_task(server.serve(sockets=[port]), name="ops")
    try:
        await server.listening.wait()
        yield
    finally:
        server.should_exit = True
        await serving


async def serve(app: FastAPI) -> bool:
    """Run an application made by `suuupra.app.create` until SIGTERM; tell whether it ended in order."""
    state, settings = app.state, app.state.settings
    signals = Signals()
    async with signals.handled(), ops_port(settings, OpsApp(state.health, expositions=state.expositions)):
        http = HttpServer(app, settings, state.activity, signals, state.clock)
        running.watch(state.health, [http, *state.runnables])
        telemetry.HTTP_IN_FLIGHT.set_function(lambda: state.activity.in_flight)
        telemetry.HTTP_STREAMS.set_function(lambda: state.activity.streams)
        _log.info("serving", http_port=settings.http_port, ops_port=settings.ops_port)
        return await running.run(
            [*state.runnables, http],
            inside=app.router.lifespan_context(app),
            health=state.health,
            signals=signals,
            limit_seconds=settings.drain_limit_seconds,
        )


async def work(
    settings: ServiceSettings,
    resources: Sequence[Resource],
    runnables: Sequence[Runnable],
    *,
    optional: Sequence[Resource] = (),
    clock: Clock | None = None,
) -> bool:
    """Run relay and consumers until SIGTERM; tell whether they ended in order.

    No traffic is sent to a worker, so its readiness only lets a rollout go on: it needs `resources`, while `optional`
    ones and what the tasks say of themselves are shown and waited for. A task that dies ends the process.
    """
    health, signals = Health(clock or SystemClock()), Signals()
    for resource in (*resources, *optional):
        health.add(resource.name, resource.check, required=resource not in optional)
    running.watch(health, runnables, required=False)
    async with signals.handled(), ops_port(settings, OpsApp(health)):
        _log.info("working", tasks=[runnable.name for runnable in runnables], ops_port=settings.ops_port)
        return await running.run(
            runnables,
            inside=opened([*resources, *optional]),
            health=health,
            signals=signals,
            limit_seconds=settings.drain_limit_seconds,
        )


def _settle_memory() -> None:
    """Take what start-up made out of the garbage collector's sight: it lives as long as the process.

    Without this, full collections walk a few hundred thousand objects of code again and again, for nothing; measured,
    it gives a tenth of a request's time back.
    """
    gc.collect()
    gc.freeze()


def run(process: Coroutine[Any, Any, bool]) -> bool:
    """Run `serve(…)` or `work(…)` on uvloop; tell whether it ended in order. Raises CannotListen."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a third more lines in every scrape that nothing reads
    _settle_memory()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(process)
    except CannotListen:
        raise
    # Whatever stops a process from starting is told like everything else it says: as a line of its log.
    except Exception:  # noqa: BLE001
        _log.exception("the process could not start, or not end")
        return False
