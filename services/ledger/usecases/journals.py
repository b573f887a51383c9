"""What finance posts by hand: transfers, exchanges, reversals; and reading journals."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from services.ledger import contract
from services.ledger.domain import exchange as fx
from services.ledger.domain import holds as domain_holds
from services.ledger.domain.accounts import Account, opening
from services.ledger.domain.exchange import Quote
from services.ledger.domain.journals import EARLIEST, Draft, Leg, Transfer, Value
from services.ledger.domain.refusals import AlreadyReversed, Malformed, UnknownAccount
from services.ledger.domain.sealing import moment
from services.ledger.store import chain, journals
from services.ledger.usecases import holds, posting, views
from services.ledger.usecases.problems import not_found, told
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.ids import new_id
from suuupra.pagination import Page, PageRequest

SKEW: Final = timedelta(minutes=1)
"""How far a caller's clock may be ahead of ours."""
LONGEST_HOLD: Final = timedelta(days=90)


async def post(tx: Transaction, clock: Clock, new: contract.NewJournal) -> contract.Journal:
    """Post transfers, or hold them when they are to expire."""
    now, undated = clock.now(), new.effective_at is None
    with told():
        draft = _draft(new, now)
        if new.expires_at is None:
            if new.id is None:  # an id of our own making is new: nobody has to look for it
                return views.journal(await posting.post(tx, clock, draft))
            return views.journal(await posting.post_once(tx, clock, draft, undated=undated))
        if not now < new.expires_at <= now + LONGEST_HOLD:
            raise Malformed(
                "expires_at", "must lie within the next 90 days", "send a later time, or an earlier one"
            )
        journal = await holds.place(tx, clock, draft, new.expires_at, undated=undated)
    return await _shown(tx, journal.draft.id)


def _draft(new: contract.NewJournal, now: datetime) -> Draft:
    if "expires_at" in new.details:
        raise Malformed("details.expires_at", "must not be used", "send expires_at beside details")
    details: dict[str, Value] = dict(new.details)
    if new.expires_at is not None:
        details["expires_at"] = moment(new.expires_at)
    pending = new.expires_at is not None
    transfers = tuple(
        Transfer(
            transfer.currency,
            tuple(Leg(leg.account, leg.side, leg.amount_minor) for leg in transfer.legs),
            pending,
        )
        for transfer in new.transfers
    )
    return Draft(
        new.id or new_id(),
        "hold" if pending else "transfer",
        effective(new.effective_at, now),
        new.description,
        transfers,
        reference=new.reference,
        details=details,
    )


def effective(given: datetime | None, now: datetime) -> datetime:
    """When a journal counts: now, or a time in the past."""
    if given is None:
        return now
    if not EARLIEST <= given <= now + SKEW:
        raise Malformed(
            "effective_at",
            f"must lie between {EARLIEST:%Y-%m-%d} and now",
            "leave it out, or send a time in the past",
        )
    return given.astimezone(UTC)


async def exchange(tx: Transaction, clock: Clock, new: contract.NewExchange) -> contract.Journal:
    """Money of one currency for money of another, with the rate, its source and its time kept."""
    now = clock.now()
    with told():
        positions = [_position(code) for code in (new.source, new.target)]
        codes = {new.source, new.target, *(account.code for account in positions)}
        begun = await posting.begin(tx, clock, codes)
        for field, code in (("source", new.source), ("target", new.target)):
            if code not in begun.book.accounts:
                raise UnknownAccount(field, f"must be an account; there is no {code}", "open it first")
        draft = fx.exchanged(
            new_id(),
            begun.book.accounts[new.source],
            begun.book.accounts[new.target],
            new.amount_minor,
            Quote(new.rate, new.rate_source, new.rate_at),
            new.target_minor,
            effective(new.effective_at, now),
            new.description,
            new.reference,
        )
        missing = [opening(new_id(), it, begun.now) for it in positions if it.code not in begun.book.accounts]
        return views.journal((await posting.write(tx, begun, [*missing, draft]))[-1])


def _position(code: str) -> Account:
    return fx.position(code.rpartition(":")[2])


async def reverse(
    tx: Transaction, clock: Clock, journal_id: UUID, wish: contract.NewReversal
) -> contract.Journal:
    """Post the mirror image of a journal."""
    await chain.lock(tx)
    journal = await journals.find(tx, journal_id)
    if journal is None:
        raise not_found("journal", "path.journal_id", journal_id)
    with told():
        before = await journals.reversal_of(tx, journal_id)
        if before is not None:
            raise AlreadyReversed("", f"must not be reversed; {before} did it", "read that journal")
        at = effective(wish.effective_at, clock.now())
        draft = domain_holds.reversed_(journal.draft, new_id(), at, wish.description)
        return views.journal(await posting.post(tx, clock, draft))


async def read(tx: Transaction, journal_id: UUID) -> contract.Journal:
    """A journal."""
    return await _shown(tx, journal_id)


async def _shown(tx: Transaction, journal_id: UUID) -> contract.Journal:
    journal = await journals.find(tx, journal_id)
    if journal is None:
        raise not_found("journal", "path.journal_id", journal_id)
    return views.journal(journal, (await journals.holds_of(tx, [journal_id])).get(journal_id))


async def listed(
    tx: Transaction,
    paging: PageRequest,
    *,
    reference: str | None,
    kind: str | None,
) -> Page[contract.Journal]:
    """Journals, the latest first."""
    (before,) = paging.after(int) or (2**63 - 1,)
    found = await journals.listed(tx, before=before, limit=paging.limit + 1, reference=reference, kind=kind)
    states = await journals.holds_of(tx, [it.draft.id for it in found])
    return paging.page(
        found, key=lambda it: (it.sequence,), view=lambda it: views.journal(it, states.get(it.draft.id))
    )
