"""The HTTP process of notifications."""

import httpx
from fastapi import FastAPI

from services.notifications.api import about, inbox, mailbox, preferences
from services.notifications.clients import Sink
from services.notifications.settings import Settings
from services.notifications.usecases.bells import Bells
from services.notifications.usecases.letters import Letters
from suuupra import app, ui
from suuupra.db import Database

_DESCRIPTION = "What people are told: an inbox with a live count, mail, and what of it they want."


def create_app(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Everything wired, nothing connected. `transport` replaces the network under the mail sink's client."""
    database = Database.of(settings)
    bells = Bells(database)
    routers = [inbox.router, preferences.router, about.router]
    optional: list[app.Resource] = []
    if settings.shows_mail:
        routers.append(mailbox.router)
        optional.append(Sink(str(settings.mail_sink_url), transport=transport))
    made = app.create(
        settings,
        *routers,
        resources=[database],
        optional=optional,
        runnables=[bells],
        description=_DESCRIPTION,
    )
    made.state.bells = bells
    made.state.letters = Letters(settings.public_url, settings.zone)
    if settings.shows_mail:
        ui.mount(made, mailbox.PAGES / "static", at=mailbox.LOOK)
        ui.error_pages(made, mailbox.templates)
    return made
