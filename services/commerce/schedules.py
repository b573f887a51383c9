"""What commerce does when something is due: orders expire, carts are forgotten."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.commerce.settings import Settings
from services.commerce.usecases import carts, orders
from services.commerce.usecases.checkout import EXPIRE
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.schedule import Handler, Payload


def schedules(settings: Settings, clock: Clock | None = None) -> Mapping[str, Handler]:
    """The kinds of scheduled work, and what each does."""
    time = clock or SystemClock()

    async def expire(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        await orders.expire(tx, time, UUID(key))

    async def forget(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        await carts.forget(tx, time, UUID(key), settings.cart_lifetime)

    return {EXPIRE: expire, carts.FORGET: forget}
