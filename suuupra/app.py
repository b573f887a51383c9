"""The app factory: what every service's HTTP process has, so that a service's app.py only names its parts.

    def create_app(settings: Settings) -> FastAPI:
        return app.create(settings, api.router, resources=[Database.of(settings)])

Nothing connects when a module is imported or an app is made; the lifespan does it, in one place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from suuupra import bodies, errors, openapi
from suuupra.auth import Authenticator, takes_nobody
from suuupra.clock import Clock, SystemClock
from suuupra.edge import Activity, Edge
from suuupra.health import Health
from suuupra.ops import Exposition
from suuupra.resources import Resource, Resources, opened
from suuupra.running import Runnable
from suuupra.settings import AuthSettings, ServiceSettings

__all__ = ["Now", "Resource", "create", "current_clock", "opened", "resource"]

DEFAULT_BODY_LIMIT = 1024 * 1024
"""Bytes of a request body; a route that takes more or less says so with FastAPI's own `max_body_size` (suuupra.bodies)."""


R = TypeVar("R")


class _Application(FastAPI):
    """FastAPI whose OpenAPI document tells how operations fail, and which do without a token."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = openapi.with_problems(super().openapi())
            for route in self.routes:
                if isinstance(route, APIRoute) and route.include_in_schema and takes_nobody(route.dependant):
                    for method in route.methods or ():
                        openapi.without_token(self.openapi_schema["paths"][route.path_format][method.lower()])
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
        # As they are, not by include_router: FastAPI would look each path up in every router twice, a third of the
        # time an answer takes. What a router says of its routes (prefix, tags, dependencies) they carry already.
        routes=[bodies.bounded(route, body_limit) for router in routers for route in router.routes],
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
    app.add_middleware(Edge, activity=app.state.activity)
    _answer_with_problems(app)
    return app


def _authenticator(settings: ServiceSettings, clock: Clock) -> list[Authenticator]:
    return [Authenticator.of(settings, clock)] if isinstance(settings, AuthSettings) else []


def _keep_state(app: FastAPI, settings: ServiceSettings, resources: Sequence[Resource], clock: Clock) -> None:
    app.state.settings = settings
    app.state.clock = clock
    app.state.activity = Activity()
    app.state.health = Health(clock)
    app.state.resources = Resources(resources)


def _lifespan(resources: Sequence[Resource]) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with opened(resources):
            yield

    return lifespan


def resource(kind: type[R], name: str | None = None) -> Callable[[Request], Awaitable[R]]:
    """A dependency that gives the application's resource of that type: `Depends(resource(Database))`.

    Of several with one type, `name` says which: `Depends(resource(ObjectStore, "objects:media"))`.
    """

    async def provide(request: Request) -> R:  # async, or FastAPI would send it through its thread pool
        resources: Resources = request.app.state.resources
        return resources.get(kind, name)

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
