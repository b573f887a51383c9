"""`ledger verify` and `ledger rebuild`: all journals read in the order of the chain, in one snapshot."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from joserfc.jwk import ECKey
from sqlalchemy import text

from services.ledger.clients.keys import CheckpointKeys
from services.ledger.domain import checkpoints
from services.ledger.domain.auditing import Audit, Claimed, Finding
from services.ledger.domain.checkpoints import BadCheckpoint, Signed
from services.ledger.domain.projections import Projections
from services.ledger.store import accounts, chain, derived, journals, proofs
from services.ledger.usecases.checkpoints import stored
from suuupra.db import Database, Transaction
from suuupra.objects import ObjectStore

PAGE: Final = 1000
LIMIT: Final = timedelta(hours=12)
READS_AT_ONCE: Final = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Outside:
    """What does not lie in the database: where checkpoints are, whose keys signed them, and copies others kept."""

    objects: ObjectStore | None
    keys: CheckpointKeys | None
    origin: str | None = None
    copies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    journals: int
    entries: int
    checkpoints: int
    """With which the journals agree."""
    findings: Sequence[Finding]
    derived: bool
    """Whether balances were compared: not where journals are not what they were."""


async def verify(database: Database, outside: Outside, progress: Progress | None = None) -> Report:
    """Recompute everything from the rows; each that is not as it was is named.

    It may be signed meanwhile: a checkpoint's journals and key come first, then its object, then its row. So they are
    read the other way round, and what belongs to a row or an object that was seen is there to be seen.
    """
    audit = Audit()
    async with database.transaction(limit=LIMIT) as tx:
        copies = await proofs.checkpoints(tx, before=None, limit=10_000_000)
    signed = await _signed(outside, audit)
    async with database.transaction(limit=LIMIT) as tx:
        await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        audit.wanted = frozenset({it.size for it in signed} | {row.size for row in copies})
        head = await chain.read(tx)
        async for claimed in _claimed(tx, head.sequence):
            audit.add(claimed)
            if progress is not None and claimed.sequence % PAGE == 0:
                progress(claimed.sequence, head.sequence)
        audit.check_head(head.sequence, head.hash, head.frontier, await journals.beyond(tx, head.sequence))
        await _check_orphans(tx, audit)
        audit.check_nodes(await proofs.node_rows(tx))
        book = await accounts.everything(tx)
        shown = {code: (account, book.totals[code]) for code, account in book.accounts.items()}
        audit.check_derived(shown, await derived.days(tx), await derived.holds(tx))
    agreed = audit.check_signed(signed, outside.origin)
    audit.check_copies(copies, {it.size: it for it in signed} if outside.objects is not None else None)
    return Report(audit.journals, audit.entries, agreed, audit.findings, audit.content_is_sound)


async def _check_orphans(tx: Transaction, audit: Audit) -> None:
    for sequence, leg in await journals.orphans(tx):
        audit.find("entry", f"{sequence}/{leg}", "has no journal")


async def _claimed(tx: Transaction, up_to: int) -> AsyncIterator[Claimed]:
    after = 0
    while True:
        rows, entries = await journals.rows_after(tx, after, up_to, PAGE)
        if not rows:
            return
        for row in rows:
            own = entries.get(row.sequence, [])
            journal = journals.journal_of(row, own)
            yield Claimed(row.sequence, row.posted_at, journal.draft, journal.leaf, journal.hash, own)
        after = rows[-1].sequence


async def _signed(outside: Outside, audit: Audit) -> list[Signed]:
    """The checkpoints that there are outside. One that is not ours is a finding."""
    if outside.keys is None:
        return []
    texts = [(f"copy {number}", text_) for number, text_ in enumerate(outside.copies, 1)]
    if outside.objects is not None:
        names = [it.key async for it in outside.objects.list(checkpoints.PREFIX)]
        for at in range(0, len(names), READS_AT_ONCE):
            group = names[at : at + READS_AT_ONCE]
            fetched = await asyncio.gather(*(stored(outside.objects, key) for key in group))
            texts += zip(group, fetched, strict=True)
    keys = await outside.keys.verifying()
    found = [_read(text_, name, keys, audit) for name, text_ in texts]
    return [it for it in found if it is not None]


def _read(text_: str, name: str, keys: Mapping[str, ECKey], audit: Audit) -> Signed | None:
    try:
        return checkpoints.read(text_, keys)
    except BadCheckpoint as error:
        audit.find("object", name, str(error))
        return None


async def rebuild(database: Database) -> int:
    """Make accounts, days and holds anew of the journals, while nobody posts; how many journals there were.

    Raises Refusal where the journals themselves are not sound: verify says which.
    """
    made = Projections()
    async with database.transaction(limit=LIMIT) as tx:
        head = await chain.lock(tx)
        async for claimed in _claimed(tx, head.sequence):
            made.apply(claimed.sequence, claimed.draft)
        await derived.replace(tx, made)
    return head.sequence
