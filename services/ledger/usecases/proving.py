"""Proofs for whoever does not trust us: of a journal in the tree, and that the tree only ever grew (RFC 6962)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.ledger import contract
from services.ledger.domain import merkle
from services.ledger.domain.merkle import Address, Range
from services.ledger.domain.sealing import entries_of, record_of
from services.ledger.store import chain, journals, proofs
from services.ledger.usecases import views
from services.ledger.usecases.problems import not_found
from suuupra.db import Transaction
from suuupra.errors import invalid


async def head(tx: Transaction) -> contract.Head:
    """The end of the chain."""
    found = await chain.read(tx)
    return contract.Head(size=found.sequence, hash=found.hash.hex(), root=found.tree().root().hex())


async def _size(tx: Transaction, asked: int | None, field: str) -> int:
    last = (await chain.read(tx)).sequence
    size = last if asked is None else asked
    if not 0 < size <= last:
        raise invalid(field, f"must be 1 to {last}, the number of journals", "leave it out for all of them")
    return size


async def inclusion(tx: Transaction, journal_id: UUID, size: int | None) -> contract.InclusionProof:
    """That a journal is in the tree of `size` journals, of all when None."""
    chosen = await _size(tx, size, "query.size")
    journal = await journals.find(tx, journal_id)
    if journal is None:
        raise not_found("journal", "path.journal_id", journal_id)
    if journal.sequence > chosen:
        raise invalid(
            "query.size", f"must be {journal.sequence} or more: the journal's place", "leave it out"
        )
    ranges = merkle.inclusion(journal.sequence - 1, chosen)
    nodes = await _nodes(tx, [*ranges, (0, chosen)])
    checkpoint = await proofs.checkpoint(tx, chosen)
    record = record_of(journal.sequence, journal.posted_at, journal.draft, entries_of(journal.draft))
    return contract.InclusionProof(
        sequence=journal.sequence,
        size=chosen,
        record=record.decode(),
        leaf=journal.leaf.hex(),
        path=_hashes(ranges, nodes),
        root=merkle.hash_of(0, chosen, nodes).hex(),
        checkpoint=None if checkpoint is None else views.checkpoint(checkpoint),
    )


async def consistency(tx: Transaction, first: int, second: int | None) -> contract.ConsistencyProof:
    """That the first `first` of `second` journals are what they were when there were no more."""
    chosen = await _size(tx, second, "query.second")
    if not 0 < first <= chosen:
        raise invalid("query.first", f"must be 1 to {chosen}", "send a smaller first, or a larger second")
    ranges = merkle.consistency(first, chosen)
    nodes = await _nodes(tx, [*ranges, (0, first), (0, chosen)])
    return contract.ConsistencyProof(
        first=first,
        second=chosen,
        first_root=merkle.hash_of(0, first, nodes).hex(),
        second_root=merkle.hash_of(0, chosen, nodes).hex(),
        path=_hashes(ranges, nodes),
    )


async def _nodes(tx: Transaction, ranges: Sequence[Range]) -> Mapping[Address, bytes]:
    return await proofs.nodes(tx, merkle.needed(ranges))


def _hashes(ranges: Sequence[Range], nodes: Mapping[Address, bytes]) -> list[str]:
    return [merkle.hash_of(low, high, nodes).hex() for low, high in ranges]
