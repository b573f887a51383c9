"""Lines of inboxes. Every change of what is unread rings the bell of the reader, at commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import CursorResult, text, tuple_
from sqlmodel import col, select

from services.notifications.domain.facts import Fact
from services.notifications.store.tables import NotificationRow
from suuupra.db import Transaction

BELL: Final = "suuupra_unread"
"""The channel; its payload is the user's id."""

_ADD: Final = text("""
WITH added AS (
    INSERT INTO notification (id, user_id, kind, data, created_at)
    VALUES (:id, :user_id, :kind, CAST(:data AS jsonb), :at) ON CONFLICT DO NOTHING RETURNING user_id)
SELECT pg_notify(:bell, user_id::text) FROM added
""")
_COUNT: Final = text("SELECT count(*) FROM notification WHERE user_id = :user_id AND read_at IS NULL")
_READ: Final = text("""
WITH changed AS (
    UPDATE notification SET read_at = :at WHERE user_id = :user_id AND id = :id AND read_at IS NULL RETURNING user_id)
SELECT pg_notify(:bell, user_id::text) FROM changed
""")
_READ_ALL: Final = text("""
UPDATE notification SET read_at = :at
WHERE user_id = :user_id AND read_at IS NULL AND (created_at, id) <= (
    SELECT created_at, id FROM notification WHERE user_id = :user_id AND id = :up_to)
""")
_RING: Final = text("SELECT pg_notify(:bell, CAST(:user_id AS text))")


async def add(tx: Transaction, fact: Fact, data: str, at: datetime) -> None:
    """Put a fact into its user's inbox, unless it is there. `data` is its JSON."""
    values = {"id": fact.id, "user_id": fact.user_id, "kind": fact.kind, "data": data, "at": at, "bell": BELL}
    await tx.execute(_ADD, values)


async def newest(
    tx: Transaction, user_id: UUID, *, unread: bool, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[NotificationRow]:
    """A user's lines, the newest first."""
    query = select(NotificationRow).where(NotificationRow.user_id == user_id)
    if unread:
        query = query.where(col(NotificationRow.read_at).is_(None))
    if after is not None:
        query = query.where(tuple_(col(NotificationRow.created_at), col(NotificationRow.id)) < after)
    order = (col(NotificationRow.created_at).desc(), col(NotificationRow.id).desc())
    return (await tx.exec(query.order_by(*order).limit(limit))).all()


async def one(tx: Transaction, user_id: UUID, id_: UUID) -> NotificationRow | None:
    """A line of that user and no other."""
    query = select(NotificationRow).where(NotificationRow.user_id == user_id, NotificationRow.id == id_)
    return (await tx.exec(query)).one_or_none()


async def unread(tx: Transaction, user_id: UUID) -> int:
    """How many lines a user has not looked at."""
    return int(await tx.scalar(_COUNT, {"user_id": user_id}) or 0)


async def read(tx: Transaction, user_id: UUID, id_: UUID, at: datetime) -> None:
    """Note that a line was looked at; the first time stays."""
    await tx.execute(_READ, {"user_id": user_id, "id": id_, "at": at, "bell": BELL})


async def read_all(tx: Transaction, user_id: UUID, up_to: UUID, at: datetime) -> None:
    """Note that all lines up to one were looked at."""
    values = {"user_id": user_id, "up_to": up_to, "at": at}
    done = cast("CursorResult[Any]", await tx.execute(_READ_ALL, values))
    if done.rowcount:
        await tx.execute(_RING, {"user_id": user_id, "bell": BELL})
