"""The app factory: what every service's HTTP process has, so that a service's app.py only names its parts.

def create_app(settings: Settings) -> FastAPI:
    return app.create(settings, api.router, resources=[Database.of(settings)])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Protocol, TypeVar, cast

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from suuupra import errors, openapi, telemetry
from suuupra.auth import Authenticator
from suuupra.clock import Clock, SystemClock
from suuupra.edge import Activity, Edge
from suuupra.health import Health
from suuupra.ops import Exposition
from suuupra.running import Runnable
from suuupra.settings import AuthSettings, ServiceSettings

DEFAULT_BODY_LIMIT = 1024 * 1024
"""Bytes of a request body; a route that takes more says so with FastAPI's own `max_body_size`."""


class Resource(Protocol):
    """Something outside the process that a service uses for its whole life: a database, a bucket, another service."""

    @property
    def name(self) -> str:
        """What /readyz and the log call it."""

    async def open(self) -> None:
        """Prepare it. Must not fail only because the far side is away for a moment."""

    async def close(self) -> None:
        """Let go of it."""

    async def check(self) -> None:
        """Raise when it cannot be used right now. Called at most once a second, with a second to answer."""


R = TypeVar("R")


class _Application(FastAPI):
    """FastAPI whose OpenAPI document tells how operations fail."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = openapi.with_problems(super().openapi())
        return self.openapi_schema


def create(
    settings: ServiceSettings,
    *routers: APIRouter,
    resources: Sequence[Resource] = (),
    optional: Sequence[Resource] = (),
    runnables: Sequence[Runnable] = (),
    expositions: Sequence[Exposition] = (),
    clock: Clock | None = None,
    body_limit: int = DEFAULT_BODY_LIMIT,
    description: str = "",
) -> FastAPI:
    """A FastAPI application that opens `resources` in order when it starts and closes them in reverse.

    Without one of them it is not ready. `optional` ones are treated alike, but it serves on while they are away.
    Nothing is connected before its lifespan starts. Routes reach a resource with `Depends(resource(Type))`,
    the clock with `Depends(current_clock)`, and the caller with the dependencies of suuupra.auth. `runnables` are
    essential tasks beside the HTTP port; `expositions` are further metrics for /metrics.
    """
    time_source = clock or SystemClock()
    outside = [*resources, *optional, *_authenticator(settings, time_source)]
    app = _Application(
        title=settings.service,
        version=settings.version,
        description=description,
        lifespan=_lifespan(outside),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Its spans and metrics would double ours at several times their cost; see suuupra.edge.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    _keep_state(app, settings, outside, time_source)
    for one in outside:
        app.state.health.add(one.name, one.check, required=one not in optional)
    app.state.runnables = tuple(runnables)
    app.state.expositions = tuple(expositions)
    for router in routers:
        app.include_router(router)
    app.add_middleware(Edge, activity=app.state.activity, body_limit=body_limit)
    _answer_with_problems(app)
    return app


def _authenticator(settings: ServiceSettings, clock: Clock) -> list[Authenticator]:
    return [Authenticator.of(settings, clock)] if isinstance(settings, AuthSettings) else []


def _keep_state(app: FastAPI, settings: ServiceSettings, resources: Sequence[Resource], clock: Clock) -> None:
    app.state.settings = settings
    app.state.clock = clock
    app.state.activity = Activity()
    app.state.health = Health(clock)
    app.state.resources = _by_type_and_name(resources)
    telemetry.BUILD.labels(settings.service, settings.name, settings.version).set(1)


def _by_type_and_name(resources: Sequence[Resource]) -> dict[tuple[type, str | None], Resource]:
    """Each under its type and name, and under its type alone where that says which."""
    kinds = Counter(type(resource) for resource in resources)
    named = {(type(resource), resource.name): resource for resource in resources}
    return named | {(kind, None): one for (kind, _), one in named.items() if kinds[kind] == 1}


def _lifespan(resources: Sequence[Resource]) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with opened(resources):
            yield

    return lifespan


@asynccontextmanager
async def opened(resources: Sequence[Resource]) -> AsyncIterator[None]:
    """Open `resources` in order and close in reverse, also those opened before one that failed."""
    async with AsyncExitStack() as stack:
        for resource in resources:
            await resource.open()
            stack.push_async_callback(resource.close)
        yield


def resource(kind: type[R], name: str | None = None) -> Callable[[Request], Awaitable[R]]:
    """A dependency that gives the application's resource of that type: `Depends(resource(Database))`.

    Of several with one type, `name` says which: `Depends(resource(ObjectStore, "objects:media"))`.
    """

    async def provide(request: Request) -> R:  # async, or FastAPI would send it through its thread pool
        return cast(R, request.app.state.resources[kind, name])

    return provide


async def current_clock(request: Request) -> Clock:
    """A dependency that gives the application's clock."""
    return cast(Clock, request.app.state.clock)


Now = Annotated[Clock, Depends(current_clock)]


def _answer_with_problems(app: FastAPI) -> None:
    @app.exception_handler(errors.Problem)
    async def problem(request: Request, error: errors.Problem) -> Response:
        return errors.render(error, request)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return errors.render(errors.from_validation(error), request)

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        return errors.render(errors.from_http_exception(error, request), request)
