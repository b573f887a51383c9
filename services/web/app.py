"""Putting web together."""

from __future__ import annotations

import httpx
from fastapi import FastAPI

from services.web import api
from services.web.clients import Content
from services.web.settings import Settings
from suuupra import app, ui


def create_app(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The learner's web app. `transport` replaces the network under content's client."""
    web = app.create(
        settings, api.router, resources=[Content(settings, transport)], description=__doc__ or ""
    )
    ui.mount(web, api.PAGES / "static", guide=settings.shows_guide)
    ui.error_pages(web, api.templates)
    return web
