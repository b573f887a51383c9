"""Nodes of the Merkle tree, and checkpoints."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlmodel import col, select

from services.ledger.domain.merkle import Address
from services.ledger.store.tables import CheckpointRow
from suuupra.db import Transaction

_LEAVES: Final = text("SELECT sequence - 1, leaf FROM journal WHERE sequence = ANY(:sequences)")
_NODES: Final = text("""
SELECT n.level, n.index, n.hash FROM tree_node n
JOIN unnest(CAST(:levels AS smallint[]), CAST(:indices AS bigint[])) AS t (level, index)
    ON n.level = t.level AND n.index = t.index
""")


async def nodes(tx: Transaction, addresses: Collection[Address]) -> Mapping[Address, bytes]:
    """Hashes of leaves and kept nodes."""
    leaves = [index + 1 for level, index in addresses if level == 0]
    inner = [address for address in addresses if address[0] > 0]
    found: dict[Address, bytes] = {}
    if leaves:
        rows = (await tx.execute(_LEAVES, {"sequences": leaves})).all()
        found.update({(0, index): bytes(leaf) for index, leaf in rows})
    if inner:
        values = {"levels": [level for level, _ in inner], "indices": [index for _, index in inner]}
        rows = (await tx.execute(_NODES, values)).all()
        found.update({(level, index): bytes(node) for level, index, node in rows})
    return found


async def node_rows(tx: Transaction) -> Sequence[Any]:
    """All kept nodes; one for each 255 journals."""
    return (await tx.execute(text("SELECT level, index, hash FROM tree_node ORDER BY level, index"))).all()


_KEEP: Final = text("""
INSERT INTO checkpoint (size, hash, root, at, key_id, signed) VALUES (:size, :hash, :root, :at, :key_id, :signed)
ON CONFLICT (size) DO NOTHING
""")


async def keep(
    tx: Transaction, *, size: int, hash_: bytes, root: bytes, at: datetime, key_id: str, signed: str
) -> None:
    """Keep a copy of a checkpoint; the first of a size stands."""
    values = {"size": size, "hash": hash_, "root": root, "at": at, "key_id": key_id, "signed": signed}
    await tx.execute(_KEEP, values)


async def checkpoint(tx: Transaction, size: int) -> CheckpointRow | None:
    """The checkpoint of a size."""
    return await tx.get(CheckpointRow, size)


async def checkpoints(tx: Transaction, *, before: int | None, limit: int) -> Sequence[CheckpointRow]:
    """Checkpoints, the largest first."""
    query = select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(limit)
    if before is not None:
        query = query.where(CheckpointRow.size < before)
    return (await tx.exec(query)).all()
