"""Putting web together."""

from __future__ import annotations

import httpx
from fastapi import FastAPI

from services.web import api
from services.web.clients.calling import SignInNeeded
from services.web.clients.commerce import Commerce
from services.web.clients.content import Content
from services.web.clients.identity import ClientSecret, Identity
from services.web.clients.ledger import Ledger
from services.web.clients.notifications import Notifications
from services.web.clients.payments import Payments
from services.web.clients.rail import Rail
from services.web.settings import Settings
from services.web.usecases.sessions import Sessions
from suuupra import app, ui
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database
from suuupra.secrets_store import SecretsStore


def create_app(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock | None = None,
    secrets: SecretsStore | None = None,
) -> FastAPI:
    """The learner's web app. `transport` replaces the network under every client, `secrets` OpenBao."""
    time = clock or SystemClock()
    database = Database.of(settings)
    store = secrets or SecretsStore.of(settings)
    identity = Identity(
        settings, ClientSecret(settings.client_id, settings.client_secret, store), time, transport
    )
    web = app.create(
        settings,
        *api.ROUTERS,
        resources=[
            Content(settings.url_content, transport),
            Commerce(settings.url_commerce, time, transport),
            Payments(settings.url_payments, transport),
            Notifications(settings.url_notifications, transport),
            Ledger(settings.url_ledger, transport),
            Rail(settings.url_upi_core, transport),
            identity,
        ],
        # Courses can be read by anybody while sessions, or the secret that new ones need, cannot.
        optional=[database, store, Sessions(database, identity, time)],
        clock=time,
        description=__doc__ or "",
    )
    web.add_exception_handler(SignInNeeded, api.lead_to_sign_in)
    ui.mount(web, api.PAGES / "static", guide=settings.shows_guide, connect=True)
    ui.error_pages(web, api.templates)
    return web
