"""Files of a course: upload, offer, delete."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from services.content import contract
from services.content.domain.authors import Author
from services.content.domain.media import SNIFFED_BYTES, Identity, Unwanted, identify, safe_name
from services.content.domain.publishing import media_link
from services.content.store import drafts
from services.content.store import media as store
from services.content.store.tables import MediaRow
from services.content.usecases.problems import MediaInUse
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.errors import FieldError, UnsupportedMediaType, invalid, not_found
from suuupra.ids import new_id
from suuupra.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Target:
    """Where an upload goes: whose course, under which name, and how many bytes it may have."""

    author: Author
    course_id: UUID
    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The file, and whether the course had the same bytes before."""

    media: contract.MediaLink
    is_new: bool


class _Measured:
    """Passes chunks on while it counts and digests them."""

    def __init__(self, head: bytes, rest: AsyncIterator[bytes]) -> None:
        self._head = head
        self._rest = rest
        self._digest = hashlib.sha256()
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._take(self._head)
        async for chunk in self._rest:
            yield self._take(chunk)

    def _take(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        self._digest.update(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


async def upload(
    database: Database, objects: ObjectStore, clock: Clock, target: Target, chunks: AsyncIterator[bytes]
) -> Uploaded:
    """Store a file. No transaction is open while its bytes arrive.

    The object comes first and the row last, so that a row always has its object; `sweeping` finds the reverse.
    """
    async with database.reading() as tx:
        if await drafts.owned_course(tx, target.author, target.course_id) is None:
            raise not_found("course", target.course_id)
    head = await _head(chunks)
    identity = _identified(head)
    measured = _Measured(head, chunks)
    row = _new_row(target, identity, clock)
    await objects.put(row.object_key, aiter(measured), content_type=identity.content_type, limit=target.limit)
    row.size, row.sha256 = measured.size, measured.sha256
    async with database.transaction() as tx:
        kept = await _keep(tx, target.author, row)
    if kept is not row:
        await objects.delete(row.object_key)
    return Uploaded(link(kept), is_new=kept is row)


async def store_once(
    database: Database,
    objects: ObjectStore,
    clock: Clock,
    target: Target,
    sha256: str,
    chunks: AsyncIterator[bytes],
) -> contract.MediaLink:
    """Store a file whose digest is known, unless the course has it already; then nothing is sent."""
    async with database.reading() as tx:
        same = await store.same_bytes(tx, target.course_id, sha256)
    if same is not None:
        return link(same)
    return (await upload(database, objects, clock, target, chunks)).media


def _new_row(target: Target, identity: Identity, clock: Clock) -> MediaRow:
    media_id = new_id()
    return MediaRow(
        id=media_id,
        course_id=target.course_id,
        name=safe_name(target.name, identity.content_type),
        content_type=identity.content_type,
        size=0,
        width=identity.width,
        height=identity.height,
        sha256="",
        object_key=f"{target.course_id}/{media_id}",
        created_at=clock.now(),
    )


async def _head(chunks: AsyncIterator[bytes]) -> bytes:
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= SNIFFED_BYTES:
            break
    if not head:
        raise invalid("body", "must not be empty", "send the file's bytes as the body")
    return head


def _identified(head: bytes) -> Identity:
    try:
        return identify(head[:SNIFFED_BYTES])
    except Unwanted as error:
        refused = FieldError("body", error.rule, error.fix)
        raise UnsupportedMediaType(f"The file {error.rule}.", errors=[refused]) from error


async def _keep(tx: Transaction, author: Author, row: MediaRow) -> MediaRow:
    """Save the row, unless the course has these bytes already: then the row that stands for them."""
    if await drafts.lock_course(tx, author, row.course_id) is None:
        raise not_found("course", row.course_id)
    same = await store.same_bytes(tx, row.course_id, row.sha256)
    if same is None:
        tx.add(row)
    return same or row


def link(row: MediaRow) -> contract.MediaLink:
    """A file as its owner and its readers are told of it."""
    return media_link(drafts.media_of(row))


async def delete(tx: Transaction, author: Author, media_id: UUID) -> None:
    """Delete a file that no lesson is about and no learner sees. `sweeping` frees its space."""
    row = await tx.get(MediaRow, media_id)
    if row is None or await drafts.lock_course(tx, author, row.course_id) is None:
        raise not_found("file", media_id)
    if row.public or row.entitled or await store.in_use(tx, row):
        raise MediaInUse("Take it out of the lessons and publish, then delete it.")
    await tx.delete(row)
