"""The one way into the books: drafts become journals, all of them or none, in one transaction.

One lock orders all writers, so the chain cannot fork and balances are never read stale. It is held until the commit;
whoever has many drafts posts them in one call: locks, statements and the commit are then paid once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.ledger.domain.book import Book, accounts_of
from services.ledger.domain.journals import Draft, Journal, same_content
from services.ledger.domain.projections import count_days
from services.ledger.domain.refusals import IdReused
from services.ledger.domain.sealing import seal
from services.ledger.store import accounts, chain, journals
from services.ledger.store.chain import Appended, Day, Head
from suuupra import failpoints
from suuupra.clock import Clock
from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class Posting:
    """The books, locked, with the accounts that drafts touch."""

    head: Head
    book: Book
    now: datetime
    """When what is posted now is posted: never before what was posted last, whatever the clock says."""


async def begin(tx: Transaction, clock: Clock, codes: Collection[str]) -> Posting:
    """Lock the end of the chain, then read: what is read cannot change before the transaction ends."""
    head = await chain.lock(tx)
    book = await accounts.book_of(tx, codes)
    return Posting(head, book, max(clock.now().astimezone(UTC), head.posted_at.astimezone(UTC)))


async def write(tx: Transaction, posting: Posting, drafts: Sequence[Draft]) -> list[Journal]:
    """Decide, seal and write. Raises Refusal; then nothing was written."""
    tree, last = posting.head.tree(), posting.head.hash
    made: list[Journal] = []
    texts: list[list[str]] = []
    nodes: list[tuple[int, int, bytes]] = []
    days: dict[Day, tuple[int, int]] = {}
    for draft in drafts:
        posting.book.apply(draft)
        journal, entries = seal(tree.size + 1, posting.now, draft, last)
        nodes += tree.append(journal.leaf)
        last = journal.hash
        made.append(journal)
        texts.append(entries)
        count_days(days, draft)
    if made:
        head = Head(tree.size, last, tree.packed(), posting.now)
        await chain.append(tx, Appended(made, texts, head, nodes, days), posting.book)
        failpoints.hit("ledger.written")
    return made


async def post(tx: Transaction, clock: Clock, draft: Draft) -> Journal:
    """Post one draft whose id is new. Raises Refusal."""
    posting = await begin(tx, clock, accounts_of([draft]))
    return (await write(tx, posting, [draft]))[0]


async def post_once(tx: Transaction, clock: Clock, draft: Draft, *, undated: bool = False) -> Journal:
    """Post a draft unless its id was posted with the same content; IdReused when it was with another (M4).

    `undated`: whoever asks did not say when it counts, so the time it was given at first is as good.
    """
    posting = await begin(tx, clock, accounts_of([draft]))
    known = await journals.find(tx, draft.id)
    if known is not None:
        same = replace(draft, effective_at=known.draft.effective_at) if undated else draft
        check_duplicate(same, known.draft)
        return known
    return (await write(tx, posting, [draft]))[0]


def check_duplicate(draft: Draft, known: Draft) -> None:
    """Raise IdReused unless both say the same."""
    if not same_content(draft, known):
        raise IdReused(
            "id",
            f"must be new, or come with the content it had before; {draft.id} had another",
            "use a new id",
        )
