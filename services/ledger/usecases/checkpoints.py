"""Heads signed and put into the object store: what makes a tail that was cut off, or forged anew, visible."""

from typing import Final

from prometheus_client import Gauge

from services.ledger import contract
from services.ledger.clients.keys import CheckpointKeys
from services.ledger.domain import checkpoints
from services.ledger.domain.checkpoints import BadCheckpoint, Signed
from services.ledger.store import chain, proofs
from services.ledger.usecases import views
from services.ledger.usecases.problems import CheckpointContradicted, not_found
from suuupra import logs
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.errors import Problem
from suuupra.halting import Haltable
from suuupra.objects import ObjectExists, ObjectStore
from suuupra.pagination import PageRequest

CONTENT_TYPE = "application/jose"
LARGEST: Final = 64 * 1024
"""Bytes of a checkpoint that are read."""
_unsigned = Gauge(
    "suuupra_ledger_unsigned_seconds", "How long the end of the chain could not be signed and put away."
)
_log = logs.get_logger(__name__)


class Signer:
    """Signs heads and puts them away; safe in several processes at once."""

    def __init__(
        self, database: Database, objects: ObjectStore, keys: CheckpointKeys, clock: Clock, origin: str
    ) -> None:
        self._database = database
        self._objects = objects
        self._keys = keys
        self._clock = clock
        self._origin = origin

    async def sign(self) -> contract.Checkpoint | None:
        """The checkpoint of the present head, made unless there is one; None before the first journal.

        Outside first: a checkpoint that the database knows is one that the object store has. What was put there is never
        replaced, so whoever died before its row was written, or was overtaken, left what stands.
        """
        async with self._database.reading() as tx:
            head = await chain.read(tx)
            known = await proofs.checkpoint(tx, head.sequence)
        if head.sequence == 0 or known is not None:
            return None if known is None else views.checkpoint(known)
        root, key = head.tree().root(), await self._keys.signing()
        made = checkpoints.sign(head.sequence, head.hash, root, self._clock.now(), self._origin, key)
        signed = await self._put(made)
        async with self._database.transaction() as tx:
            await _keep(tx, signed)
            kept = await proofs.checkpoint(tx, signed.size)
        assert kept is not None
        _log.info("checkpoint signed", size=signed.size, root=root.hex())
        return views.checkpoint(kept)

    async def _put(self, made: Signed) -> Signed:
        """Put it away, or tell which one of the same head is there already."""
        place = checkpoints.object_key(made.size)
        try:
            await self._objects.create(place, made.text.encode(), content_type=CONTENT_TYPE)
        except ObjectExists:
            return await self._standing(place, made)
        return made

    async def _standing(self, place: str, made: Signed) -> Signed:
        try:
            there = checkpoints.read(
                await stored(self._objects, place), await self._keys.verifying(anew=True)
            )
        except BadCheckpoint as error:
            raise CheckpointContradicted(place, f"must be a checkpoint of this ledger: {error}") from error
        if (there.size, there.hash, there.root) != (made.size, made.hash, made.root):
            rule = f"must be of the {made.size} journals that there are: those that were signed are others"
            raise CheckpointContradicted(place, rule)
        return there


async def stored(objects: ObjectStore, key: str) -> str:
    """The text of a checkpoint in the object store, as far as one can be long."""
    async with objects.open_read(key) as found:
        content = b""
        async for chunk in found.chunks():
            content += chunk
            if len(content) > LARGEST:
                break
    return content.decode("ascii", errors="replace")


async def _keep(tx: Transaction, signed: Signed) -> None:
    await proofs.keep(
        tx,
        size=signed.size,
        hash_=signed.hash,
        root=signed.root,
        at=signed.at,
        key_id=signed.key_id,
        signed=signed.text,
    )


class Checkpointer:
    """Signs the head regularly, for as long as its process lives."""

    name = "checkpointer"

    def __init__(self, signer: Signer, clock: Clock, seconds: float) -> None:
        self._signer = signer
        self._clock = clock
        self._seconds = seconds
        self._halt = Haltable(grace=5.0)

    async def run(self) -> None:
        """Sign until stop()."""
        await self._halt.run(self._regularly())

    async def stop(self) -> None:
        """Finish the checkpoint in hand."""
        self._halt.halt()

    def health(self) -> str | None:
        """None: a checkpoint that is late keeps nobody from posting; an alert tells of it."""
        return None

    async def _regularly(self) -> None:
        signed_at = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._seconds)
            try:
                with self._halt.busy():
                    await self._signer.sign()
                signed_at = self._clock.monotonic()
            except Problem as problem:
                _log.warning("checkpoint postponed", error=problem.detail)
            _unsigned.set(self._clock.monotonic() - signed_at)


async def listed(tx: Transaction, paging: PageRequest) -> contract.CheckpointList:
    """Checkpoints, the largest first."""
    (before,) = paging.after(int) or (None,)
    rows = await proofs.checkpoints(tx, before=before, limit=paging.limit + 1)
    page = paging.page(rows, key=lambda row: (row.size,), view=views.checkpoint)
    return contract.CheckpointList(items=page.items, next=page.next)


async def read(tx: Transaction, size: int) -> contract.Checkpoint:
    """The checkpoint of a size."""
    row = await proofs.checkpoint(tx, size)
    if row is None:
        raise not_found("checkpoint", "path.size", size)
    return views.checkpoint(row)
