"""The HTTP process of commerce."""

from fastapi import FastAPI

from services.commerce.api import carts, offers, orders, products
from services.commerce.settings import Settings
from suuupra import app
from suuupra.clock import Clock
from suuupra.db import Database

_DESCRIPTION = "What is for sale, carts, orders with their story, and who may study what."


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """Everything wired, nothing connected."""
    return app.create(
        settings,
        products.router,
        offers.router,
        carts.router,
        orders.router,
        resources=[Database.of(settings)],
        clock=clock,
        description=_DESCRIPTION,
    )
