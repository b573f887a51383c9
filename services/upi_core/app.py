"""The process of upi-core: the switch, its timers, and its courier."""

from datetime import timedelta

import httpx
from fastapi import FastAPI

from services.upi_core.api import phone, rail, stories
from services.upi_core.contract import SWITCH, refusal_in
from services.upi_core.domain.pins import without_pin
from services.upi_core.settings import Settings
from services.upi_core.store.sweeping import ages
from services.upi_core.usecases import timers
from services.upi_core.usecases.admission import Admission
from services.upi_core.usecases.directory import Directory
from services.upi_core.usecases.ends import EndsElsewhere
from services.upi_core.usecases.rail import Rail
from suuupra import app, sweeping, ui
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database
from suuupra.keyring import DatabaseVault, Keyring
from suuupra.messages import Messenger, Outgoing
from suuupra.schedule import Scheduler

_DESCRIPTION = (
    "The UPI switch: participants, payments between their accounts, refunds, and what became of them."
)


def create_app(
    settings: Settings, *, clock: Clock | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> FastAPI:
    """Everything wired, nothing connected. `transport` replaces the network to the participants."""
    time = clock or SystemClock()
    database = Database.of(settings)
    directory = Directory(database, time)
    keyring = Keyring(DatabaseVault(database, time), SWITCH)

    async def refused(message: Outgoing, reason: str) -> None:
        await timers.refused(database, means, message, reason)

    messenger = Messenger(
        database,
        keyring.signer,
        directory.url,
        time,
        refusal=refusal_in,
        refused=refused,
        kept=without_pin,
        transport=transport,
    )
    rules, courier = settings.rulebook, messenger.courier
    pay_timer = rules.scaled(rules.pay_timer)
    admission = Admission(settings.payments_at_once, pay_timer, lambda: courier.new_in_hand, time)
    means = Rail(messenger, keyring, directory, admission, rules, time)
    forgotten = ages(timedelta(days=settings.message_days))
    handlers = {**timers.handlers(means), sweeping.KIND: sweeping.handler(forgotten, time)}
    pages = [phone.router] if settings.phone else []
    switch = app.create(
        settings,
        rail.router,
        stories.router,
        *pages,
        resources=[database, directory, messenger],
        runnables=[courier, Scheduler(database, handlers, time), EndsElsewhere(database, admission, time)],
        clock=time,
        description=_DESCRIPTION,
    )
    switch.state.rail = means
    ui.mount(switch, phone.PAGES / "static", at=phone.ASSETS)
    ui.error_pages(switch, phone.templates)
    return switch
