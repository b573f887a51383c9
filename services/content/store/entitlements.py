"""Who may study which course: a projection of commerce's two events, and the key that seals addresses of files."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from services.content.domain.authors import Author
from services.content.store.tables import EntitlementRow
from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A user's right to a course after the event with that `sequence`, which we heard at `heard_at`."""

    user_id: UUID
    course_id: UUID
    granted: bool
    sequence: int
    changed_at: datetime
    heard_at: datetime


# An event that comes again, or after a later one, changes nothing.
_KEEP: Final = text("""
INSERT INTO entitlement AS kept (user_id, course_id, granted, sequence, changed_at, unlocked_at, locked_at)
SELECT user_id, course_id, granted, sequence, changed_at,
    CASE WHEN granted THEN heard_at END, CASE WHEN NOT granted THEN heard_at END
FROM unnest(CAST(:users AS uuid[]), CAST(:courses AS uuid[]), CAST(:granted AS boolean[]),
    CAST(:sequences AS bigint[]), CAST(:times AS timestamptz[]), CAST(:heard AS timestamptz[]))
    AS it (user_id, course_id, granted, sequence, changed_at, heard_at)
ON CONFLICT (user_id, course_id) DO UPDATE
    SET granted = excluded.granted, sequence = excluded.sequence, changed_at = excluded.changed_at,
        unlocked_at = coalesce(excluded.unlocked_at, kept.unlocked_at),
        locked_at = coalesce(excluded.locked_at, kept.locked_at)
    WHERE kept.sequence < excluded.sequence
""")
_KEY_FOR: Final = text("""
SELECT key FROM media_seal
WHERE EXISTS (SELECT FROM entitlement WHERE user_id = :user AND course_id = :course AND granted)
   OR EXISTS (SELECT FROM course WHERE id = :course AND (:all OR owner = :subject))
""")
_KEY: Final = text("SELECT key FROM media_seal")


async def keep(tx: Transaction, changes: Iterable[Entitlement]) -> None:
    """Take in what changed, in one statement that locks rows in a fixed order."""
    latest: dict[tuple[UUID, UUID], Entitlement] = {}
    for change in changes:
        key = (change.user_id, change.course_id)
        if key not in latest or latest[key].sequence < change.sequence:
            latest[key] = change
    ordered = [latest[key] for key in sorted(latest)]
    values = {
        "users": [it.user_id for it in ordered],
        "courses": [it.course_id for it in ordered],
        "granted": [it.granted for it in ordered],
        "sequences": [it.sequence for it in ordered],
        "times": [it.changed_at for it in ordered],
        "heard": [it.heard_at for it in ordered],
    }
    await tx.execute(_KEEP, values)


async def of_user(tx: Transaction, user_id: UUID, courses: Collection[UUID]) -> Sequence[EntitlementRow]:
    """What is known of a user's rights to these courses."""
    query = select(EntitlementRow).where(
        EntitlementRow.user_id == user_id, col(EntitlementRow.course_id).in_(courses)
    )
    return (await tx.exec(query.order_by(col(EntitlementRow.course_id)))).all()


async def key_for(tx: Transaction, reader: Author, course_id: UUID) -> bytes | None:
    """The key of seals, when `reader` is entitled to the course or it is their own; else None."""
    user = _user_id(reader.subject)
    values = {"user": user, "course": course_id, "subject": reader.subject, "all": reader.all}
    key: bytes | None = await tx.scalar(_KEY_FOR, values)
    return key


async def key(tx: Transaction) -> bytes:
    """The key of seals."""
    found: bytes = (await tx.execute(_KEY)).scalar_one()
    return found


def _user_id(subject: str) -> UUID | None:
    """Users are UUIDs; a machine's subject may be anything, and is entitled to nothing."""
    try:
        return UUID(subject)
    except ValueError:
        return None
