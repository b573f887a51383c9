"""Rails come and change as the operator says; the switch of each is told that we take part."""

from datetime import datetime, timedelta
from typing import Any, Final

from services.payments import contract
from services.payments.clients.keys import KeyRing
from services.payments.clients.rails import RailBook
from services.payments.clients.upi import REGISTRATION
from services.payments.store import rails as store
from services.payments.store.tables import RailRow
from suuupra.db import Transaction
from suuupra.ids import new_id

RENEWED: Final = timedelta(minutes=10)
"""After so long the switch is told again that we take part: one that lost its memory knows us again by then."""


async def put(
    tx: Transaction,
    book: RailBook,
    ring: KeyRing,
    name: str,
    wanted: contract.RailRegistration,
    now: datetime,
) -> contract.RailView:
    """A rail is there, or has changed. The same again changes nothing."""
    row = await store.lock_rail(tx, name)
    told = wanted.model_dump(mode="json", by_alias=True)
    if row is None:
        row = RailRow(name=name, kind=wanted.kind, registration=told, updated_at=now)
        tx.add(row)
    elif row.registration == told and row.removed_at is None:
        return view(book, row)
    row.kind, row.registration, row.removed_at, row.updated_at = wanted.kind, told, None, now
    await tx.flush()
    await _register(tx, book, ring, row, now)
    return view(book, row)


async def _register(tx: Transaction, book: RailBook, ring: KeyRing, row: RailRow, now: datetime) -> None:
    """Have the switch told that we take part; what was to be told before is void."""
    await store.drop_waiting(tx, row.name, REGISTRATION, now)
    message = book.rail_of(row).registration_of(ring.signing, new_id())
    await store.queue(tx, message, now, mine=False, method="PUT")


async def renew(tx: Transaction, book: RailBook, ring: KeyRing, now: datetime) -> None:
    """Have every switch told again that has not been for long."""
    for name in await store.registered_before(tx, now - RENEWED):
        row = await store.lock_rail(tx, name)
        if row is not None and row.registered_at is not None and row.registered_at <= now - RENEWED:
            row.registered_at = (
                now  # so that one process does it; it is set again when the switch has answered
            )
            await _register(tx, book, ring, row, now)


async def remove(tx: Transaction, name: str, now: datetime) -> None:
    """A rail is no more. Its row stays: refunds of what it moved are taken in, and wait until it is back."""
    row = await store.lock_rail(tx, name)
    if row is not None and row.removed_at is None:
        row.removed_at = now
        await store.drop_waiting(tx, name, REGISTRATION, now)


async def registered(tx: Transaction, name: str, keys: dict[str, Any], now: datetime) -> None:
    """The switch has taken us in, and these are its keys."""
    row = await store.lock_rail(tx, name)
    if row is not None:
        row.keys, row.registered_at, row.trouble = keys, now, None


async def troubled(tx: Transaction, name: str, trouble: str) -> None:
    """The switch did not take us in."""
    row = await store.lock_rail(tx, name)
    if row is not None:
        row.trouble = trouble


def view(book: RailBook, row: RailRow) -> contract.RailView:
    """A rail as it is shown."""
    rail = book.rail_of(row)
    return contract.RailView(
        name=row.name,
        kind=row.kind,
        url=rail.registration.url,
        payee_vpa=rail.vpa,
        rulebook=rail.registration.rulebook,
        registered_at=row.registered_at,
        trouble=row.trouble,
    )
