"""What operators are shown: the live table in words, for the page and its JSON twin."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel

from services.api_gateway.domain.holding import Held
from services.api_gateway.domain.routes import Limit, Snapshot
from services.api_gateway.domain.table import Refused, Served, Table


class LimitView(BaseModel):
    """A limit per caller: ``rate`` on average, ``burst`` at once; callers told apart ``by`` subject, client or address."""

    rate: str
    burst: int
    by: str


class RouteView(BaseModel):
    """One live route. No methods: every method. ``timeout_seconds`` 0: a stream without end."""

    path: str
    match: str
    methods: list[str]
    auth: str
    scopes: list[str]
    limits: list[LimitView]
    """All must allow a request."""
    priority: str
    timeout_seconds: float
    service: str
    ready_endpoints: int


class RefusedView(BaseModel):
    """A claimed route that is not served, and whose decision that was."""

    service: str
    path: str
    methods: list[str]
    reason: str
    message: str
    by: str


class SourceView(BaseModel):
    """Whether the API server is heard."""

    trouble: str | None
    age_seconds: float


class GatewayView(BaseModel):
    """The gateway right now."""

    envoy: str
    version: str
    updated_at: datetime | None
    apply_milliseconds: float
    source: SourceView
    routes: list[RouteView]
    refused: list[RefusedView]


def routes_view(table: Table, snapshot: Snapshot) -> list[RouteView]:
    """In order of matching."""
    return [_route(item, len(snapshot.ready(item.service))) for item in table.served]


def refused_view(table: Table, held: dict[str, Held]) -> list[RefusedView]:
    """Refused by the operator, by the gateway's own rules, and by Envoy."""
    by_envoy = (_held(item, one.reason) for one in held.values() for item in one.routes)
    return [*(_refused(item) for item in table.refused), *by_envoy]


def trouble_of(view: GatewayView) -> Iterator[str]:
    """What an operator should know first, in sentences."""
    if view.envoy != "LIVE":
        yield f"Envoy is {view.envoy}."
    if view.source.trouble:
        yield f"{view.source.trouble}. What was last known keeps being served."
    silent = sorted({route.service for route in view.routes if route.ready_endpoints == 0})
    if silent:
        yield f"No ready endpoints, so callers get 503: {', '.join(silent)}."


def _route(item: Served, ready: int) -> RouteView:
    route = item.route
    return RouteView(
        path=route.path,
        match=route.match.value,
        methods=list(route.methods),
        auth=route.auth.value,
        scopes=list(route.scopes),
        limits=[_limit(limit) for limit in route.limits],
        priority=route.priority.value,
        timeout_seconds=route.response_seconds,
        service=item.service,
        ready_endpoints=ready,
    )


def _limit(limit: Limit) -> LimitView:
    return LimitView(rate=str(limit.rate), burst=limit.bucket, by=limit.by.value)


def _refused(item: Refused) -> RefusedView:
    return RefusedView(
        service=item.service,
        path=item.path,
        methods=list(item.methods),
        reason=item.reason,
        message=item.message,
        by=item.by,
    )


def _held(item: Served, reason: str) -> RefusedView:
    return RefusedView(
        service=item.service,
        path=item.route.path,
        methods=list(item.route.methods),
        reason="RefusedByEnvoy",
        message=reason,
        by="envoy",
    )
