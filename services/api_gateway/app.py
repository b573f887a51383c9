"""The one place where the gateway is put together."""

from fastapi import FastAPI

from services.api_gateway import api
from services.api_gateway.cluster.api import PodAccount
from services.api_gateway.cluster.source import ClusterSource, RouteSource
from services.api_gateway.domain.envoy.options import Keys, Options
from services.api_gateway.settings import Settings
from services.api_gateway.store import Counters
from services.api_gateway.usecases.limiting import Limiter
from services.api_gateway.usecases.serve import Draining, Gateway
from suuupra import app, ui
from suuupra.clock import SystemClock

PAGES_FOR_BROWSERS = (404, 413, 429, 502, 503, 504)
LOCAL = "local"


def create_app(settings: Settings) -> FastAPI:
    account = PodAccount(settings.kubernetes_host, settings.kubernetes_port, settings.account)
    return assemble(settings, ClusterSource(account.place, SystemClock()))


def assemble(settings: Settings, source: RouteSource) -> FastAPI:
    """The application over any source of routes."""
    gateway = Gateway(
        options_of(settings),
        source,
        SystemClock(),
        concurrency=settings.concurrency,
        draining=Draining(settings.drain_seconds, settings.drain_limit_seconds - 3),
    )
    limits = _limits(settings)
    page = api.router(gateway, guarded=settings.profile != LOCAL)
    built = app.create(settings, page, runnables=[gateway, *limits], expositions=[gateway.exposition])
    ui.mount(built, connect=False)
    return built


def _limits(settings: Settings) -> list[Limiter]:
    """Nobody to ask where there is no Valkey."""
    socket = options_of(settings).limits_socket
    if settings.valkey_url is None or socket is None:
        return []
    return [Limiter(socket, Counters.of(settings.valkey_url, settings.valkey_prefix))]


def options_of(settings: Settings) -> Options:
    """What Envoy's configuration needs of the settings."""
    return Options(
        issuer=settings.issuer,
        audience=settings.audience,
        keys=Keys(settings.jwks, settings.jwks_url),
        folder=settings.folder,
        page_needs_operator=settings.profile != LOCAL,
        error_pages={status: ui.error_document(status) for status in PAGES_FOR_BROWSERS},
        listen_address=settings.listen_host,
        listen_port=settings.listen_port,
        control_port=settings.http_port,
        name=settings.name,
        trusted_hops=settings.trusted_hops,
        max_body_bytes=settings.max_body_bytes,
        limits_socket=settings.folder / "limits.sock" if settings.valkey_url else None,
    )
