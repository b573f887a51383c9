"""The HTTP process of payments."""

import httpx
from fastapi import FastAPI

from services.payments.api import internal, payments, refunds, streams, webhooks
from services.payments.clients.feed import Feed
from services.payments.clients.keys import Keys
from services.payments.clients.rails import RailBook
from services.payments.clients.receivers import Receivers
from services.payments.clients.signers import Known
from services.payments.clients.switch import Switches
from services.payments.settings import Settings
from services.payments.usecases.delivering import WebhookPost
from services.payments.usecases.mailing import RailPost
from suuupra import app
from suuupra.clock import Clock, SystemClock
from suuupra.courier import Courier
from suuupra.db import Database

_DESCRIPTION = "Payments: what is to be paid, how it was tried, what came of it, and what went back."


def create_app(
    settings: Settings,
    clock: Clock | None = None,
    *,
    keys: Keys | None = None,
    switches: httpx.AsyncBaseTransport | None = None,
    receivers: Receivers | None = None,
) -> FastAPI:
    """Everything wired, nothing connected. The process also sends what is to be sent (suuupra.courier)."""
    time = clock or SystemClock()
    database, ring = Database.of(settings), keys or Keys.of(settings)
    rail_side = Switches(ring, settings.merchant_code, time, switches)
    receiving = receivers or Receivers(guarded=settings.guarded)
    post = RailPost(RailBook(settings), ring, rail_side, settings.rails)
    to_rails, to_receivers = (
        Courier(database, post, time),
        Courier(database, WebhookPost(ring, receiving, time), time),
    )
    feed = Feed(database)
    made = app.create(
        settings,
        payments.router,
        streams.router,
        refunds.router,
        webhooks.router,
        internal.router,
        resources=[database, ring],
        optional=[rail_side, receiving, feed],
        runnables=[to_rails, to_receivers, feed],
        clock=time,
        description=_DESCRIPTION,
    )
    made.state.rail_post, made.state.rail_courier = post, to_rails
    made.state.webhook_courier = to_receivers
    made.state.switch_keys = Known()
    return made
