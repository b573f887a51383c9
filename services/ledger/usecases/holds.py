"""Holds: placed, then posted, voided or expired, once. The head's lock lets one of several contenders win."""

from datetime import datetime
from typing import Final
from uuid import UUID

from services.ledger import contract
from services.ledger.domain import holds
from services.ledger.domain.holds import RESOLVED, Hold
from services.ledger.domain.journals import Draft, Journal
from services.ledger.store import chain, journals
from services.ledger.usecases import posting, views
from services.ledger.usecases.problems import not_found, told
from suuupra import schedule
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.ids import new_id

EXPIRY: Final = "hold.expiry"


async def place(
    tx: Transaction, clock: Clock, draft: Draft, expires_at: datetime, *, undated: bool
) -> Journal:
    """Post a hold and see to its expiry. The same draft again changes nothing. Raises Refusal."""
    journal = await posting.post_once(tx, clock, draft, undated=undated)
    if await journals.hold(tx, draft.id) is None:
        await journals.place(tx, journal, expires_at)
        await schedule.put(tx, EXPIRY, draft.id, expires_at)
    return journal


async def post(tx: Transaction, clock: Clock, hold_id: UUID, wish: contract.PostHold) -> contract.Journal:
    """Post a hold, or a part of it."""
    with told():
        hold = await _pending(tx, clock, hold_id)
        draft = holds.posted(hold, new_id(), clock.now(), wish.amount_minor, wish.description)
        return views.journal(await _resolve(tx, clock, draft))


async def void(tx: Transaction, clock: Clock, hold_id: UUID, wish: contract.VoidHold) -> contract.Journal:
    """Release a hold."""
    with told():
        hold = await _pending(tx, clock, hold_id)
        draft = holds.voided(hold, new_id(), clock.now(), wish.description)
        return views.journal(await _resolve(tx, clock, draft))


async def expire(tx: Transaction, clock: Clock, hold_id: UUID) -> None:
    """Release a hold whose time is over, unless it was resolved."""
    await chain.lock(tx)
    found = await _find(tx, hold_id)
    if found is not None and found.state == "pending":
        await _resolve(tx, clock, holds.expired(found, new_id()))


async def _pending(tx: Transaction, clock: Clock, hold_id: UUID) -> Hold:
    await chain.lock(tx)  # first: what is read after it is as the last holder of the lock left it
    found = await _find(tx, hold_id)
    if found is None:
        raise not_found("hold", "path.journal_id", hold_id)
    holds.check_pending(found, clock.now())
    return found


async def _find(tx: Transaction, hold_id: UUID) -> Hold | None:
    row = await journals.hold(tx, hold_id)
    journal = await journals.find(tx, hold_id) if row is not None else None
    return journals.hold_of(row, journal) if row is not None and journal is not None else None


async def _resolve(tx: Transaction, clock: Clock, draft: Draft) -> Journal:
    journal = await posting.post(tx, clock, draft)
    assert draft.related is not None
    await journals.resolve(tx, draft.related, RESOLVED[draft.kind], journal.sequence)
    await schedule.cancel(tx, EXPIRY, draft.related)
    return journal
