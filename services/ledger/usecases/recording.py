"""Payments, refunds and surpluses into the books, a batch at a time; one journal each, whatever is delivered how often."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from services.ledger.domain import accounts, payments
from services.ledger.domain.accounts import Account
from services.ledger.domain.book import Book, accounts_of
from services.ledger.domain.journals import Draft
from services.ledger.domain.refusals import Refusal
from services.ledger.store import journals
from services.ledger.usecases import posting
from services.payments.contract import (
    PaymentRefunded,
    PaymentSucceeded,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.ids import new_id
from suuupra.inbox import Reject

Chart = Callable[[str, str], list[Account]]
"""(rail, currency) → the accounts that its events need."""


async def succeeded(tx: Transaction, clock: Clock, events: Sequence[PaymentSucceeded]) -> None:
    """Post payments. Raises Reject for a batch with an event that can never be posted."""
    await _record(tx, clock, events, payments.chart)


async def refunded(tx: Transaction, clock: Clock, events: Sequence[PaymentRefunded]) -> None:
    """Post refunds. Raises Reject, also where a payment is not in the books or less than what is given back."""
    known = await journals.amounts(tx, {event.payment_id for event in events})
    for event in events:
        _check_covered(event, known)
    await _record(tx, clock, events, payments.chart)


async def surplus_received(tx: Transaction, clock: Clock, events: Sequence[SurplusReceived]) -> None:
    """Post money that came twice. Raises Reject for a batch with an event that can never be posted."""
    await _record(tx, clock, events, payments.surplus_chart)


async def surplus_returned(tx: Transaction, clock: Clock, events: Sequence[SurplusReturned]) -> None:
    """Post that it went back. Raises Reject, also where it is not in the books as what goes back."""
    known = await journals.amounts(tx, {event.surplus_id for event in events})
    for event in events:
        if event.surplus_id not in known:
            raise Reject(
                f"the surplus {event.surplus_id} is not in the books: redrive surplus.received first"
            )
        if known[event.surplus_id] != (event.currency, event.amount_minor):
            raise Reject(f"what goes back is not the surplus {event.surplus_id} that came")
    await _record(tx, clock, events, payments.surplus_chart)


def _draft(event: payments.Booked) -> Draft:
    try:
        return payments.draft(event)
    except Refusal as refusal:
        raise _rejected(refusal) from refusal


def _rejected(refusal: Refusal) -> Reject:
    return Reject(f"{refusal.slug}: {refusal.field or 'the event'} {refusal.rule}; {refusal.fix}")


def _check_covered(event: PaymentRefunded, known: Mapping[UUID, tuple[str, int]]) -> None:
    if event.payment_id not in known:
        raise Reject(f"the payment {event.payment_id} is not in the books: redrive payment.succeeded first")
    currency, amount = known[event.payment_id]
    if event.currency != currency:
        raise Reject(f"the refund is in {event.currency}, its payment in {currency}")
    if not event.amount_minor <= event.refunded_total_minor <= amount:
        raise Reject(f"refunds of {event.refunded_total_minor} exceed the payment's {amount} minor units")


async def _record(tx: Transaction, clock: Clock, events: Sequence[payments.Booked], chart: Chart) -> None:
    drafts = [_draft(event) for event in events]
    pairs = sorted({(event.rail, event.currency) for event in events})
    wanted = {account.code: account for pair in pairs for account in chart(*pair)}
    begun = await posting.begin(tx, clock, accounts_of(drafts) | wanted.keys())
    try:
        fresh = await _fresh(tx, drafts)
        opened = _missing(begun.book, wanted, begun) if fresh else []
        await posting.write(tx, begun, [*opened, *fresh])
    except Refusal as refusal:
        raise _rejected(refusal) from refusal


async def _fresh(tx: Transaction, drafts: Sequence[Draft]) -> list[Draft]:
    """Those whose ids are new; the inbox forgets, the journal does not. Raises IdReused."""
    known = {it.draft.id: it.draft for it in await journals.with_ids(tx, {draft.id for draft in drafts})}
    fresh: list[Draft] = []
    for draft in drafts:
        before = known.setdefault(draft.id, draft)
        if before is draft:
            fresh.append(draft)
        else:
            posting.check_duplicate(draft, before)
    return fresh


def _missing(book: Book, wanted: Mapping[str, Account], begun: posting.Posting) -> list[Draft]:
    """The journals that open accounts which the first payment in a currency finds missing."""
    return [
        accounts.opening(new_id(), account, begun.now)
        for code, account in wanted.items()
        if code not in book.accounts
    ]
