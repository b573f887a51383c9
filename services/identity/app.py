"""The HTTP process of identity."""

import logging
from datetime import timedelta

from fastapi import FastAPI

from services.identity.api import discovery, oauth, pages, users
from services.identity.api.showing import AT, PAGES, templates
from services.identity.settings import Settings
from services.identity.usecases.hashing import Hasher
from services.identity.usecases.keyring import KeyRing
from services.identity.usecases.problems import LinkUseless
from services.identity.usecases.registering import OwnClients
from suuupra import app, ui
from suuupra.auth import Authenticator
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database
from suuupra.secrets_store import SecretsStore

_DESCRIPTION = "Accounts, and the OpenID provider that signs people and programs in."


def create_app(
    settings: Settings, *, secrets: SecretsStore | None = None, clock: Clock | None = None
) -> FastAPI:
    """Everything wired, nothing connected. `secrets` and `clock` stand in for OpenBao and the machine's."""
    logging.getLogger("authlib").setLevel(logging.INFO)  # at DEBUG it writes tokens into the log
    time_source = clock or SystemClock()
    database, store = Database.of(settings), secrets or SecretsStore.of(settings)
    ring = KeyRing(store, settings.name, time_source, life=timedelta(days=settings.key_days))
    judge = Authenticator(ring, issuer=settings.issuer_url, audience=settings.audience, clock=time_source)
    identity = app.create(
        settings,
        oauth.router,
        discovery.router,
        users.router,
        pages.router,
        resources=[
            database,
            store,
            ring,
            OwnClients(database, store, settings, time_source),
            Hasher(settings),
            judge,
        ],
        clock=time_source,
        description=_DESCRIPTION,
    )
    identity.add_exception_handler(LinkUseless, pages.link_useless)  # type: ignore[arg-type]
    ui.mount(identity, PAGES / "static", at=AT)
    ui.error_pages(identity, templates)
    return identity
