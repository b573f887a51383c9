"""Rails come and change as the operator says; the switch of each is told that we take part."""

from datetime import datetime, timedelta
from typing import Any, Final

from services.payments import contract
from services.payments.clients.keys import KeyRing
from services.payments.clients.rails import RailBook
from services.payments.store import rails as store
from services.payments.store.tables import RailRow
from suuupra.db import Transaction
from suuupra.ids import new_id

RENEWED: Final = timedelta(minutes=10)
"""After so long the switch is told again that we take part, when the operator tells us of the rail again."""


async def put(
    tx: Transaction,
    book: RailBook,
    ring: KeyRing,
    name: str,
    wanted: contract.RailRegistration,
    now: datetime,
) -> contract.RailView:
    """A rail is there, or has changed. The same again changes nothing, but renews what has grown old."""
    row = await store.lock_rail(tx, name)
    told = wanted.model_dump(mode="json", by_alias=True)
    if row is None:
        row = RailRow(name=name, kind=wanted.kind, registration=told, updated_at=now)
        tx.add(row)
    elif row.registration == told and not _old(row, now):
        return view(book, row)
    row.kind, row.registration, row.updated_at = wanted.kind, told, now
    await tx.flush()
    await store.queue(
        tx, book.rail_of(row).registration_of(ring.signing, new_id()), now, mine=False, method="PUT"
    )
    return view(book, row)


def _old(row: RailRow, now: datetime) -> bool:
    since = row.registered_at or row.updated_at
    return now - since >= RENEWED


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
