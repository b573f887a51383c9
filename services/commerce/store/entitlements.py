"""Who may study what: grants by orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from services.commerce.store.tables import CourseRow, EntitlementRow
from suuupra.db import Transaction

_LOCK: Final = text("SELECT pg_advisory_xact_lock(:locks, hashtext(CAST(:key AS text)))")
_LOCKS: Final = 0x436F_0001
"""First key of the advisory locks that let changes of one right follow one another."""
_GRANT: Final = text("""
WITH standing AS (
    SELECT count(*) AS grants FROM entitlement
    WHERE user_id = :user_id AND course_id = :course_id AND revoked_at IS NULL),
made AS (
    INSERT INTO entitlement (user_id, course_id, order_id, granted_at) VALUES (:user_id, :course_id, :order_id, :at)
    ON CONFLICT DO NOTHING RETURNING 1)
SELECT (SELECT grants FROM standing) = 0 AND EXISTS (SELECT FROM made)
""")
_REVOKE: Final = text("""
WITH gone AS (
    UPDATE entitlement SET revoked_at = :at
    WHERE user_id = :user_id AND course_id = :course_id AND order_id = :order_id AND revoked_at IS NULL RETURNING 1),
others AS (
    SELECT count(*) AS grants FROM entitlement
    WHERE user_id = :user_id AND course_id = :course_id AND order_id <> :order_id AND revoked_at IS NULL)
SELECT EXISTS (SELECT FROM gone) AND (SELECT grants FROM others) = 0
""")


async def grant(tx: Transaction, user_id: UUID, course_id: UUID, order_id: UUID, at: datetime) -> bool:
    """Grant by an order; whether the user had no right to the course before."""
    return await _change(tx, _GRANT, user_id, course_id, order_id, at)


async def revoke(tx: Transaction, user_id: UUID, course_id: UUID, order_id: UUID, at: datetime) -> bool:
    """Take an order's grant back; whether the user has no right to the course any more."""
    return await _change(tx, _REVOKE, user_id, course_id, order_id, at)


async def _change(
    tx: Transaction, statement: object, user_id: UUID, course_id: UUID, order_id: UUID, at: datetime
) -> bool:
    await tx.execute(_LOCK, {"locks": _LOCKS, "key": f"{user_id}:{course_id}"})
    values = {"user_id": user_id, "course_id": course_id, "order_id": order_id, "at": at}
    return bool(await tx.scalar(statement, values))  # type: ignore[call-overload]


async def standing(
    tx: Transaction, user_id: UUID, course_id: UUID | None = None
) -> Sequence[tuple[EntitlementRow, CourseRow | None]]:
    """A user's grants that stand, the latest first, with what is known of their courses."""
    query = (
        select(EntitlementRow, CourseRow)
        .join(CourseRow, col(CourseRow.id) == EntitlementRow.course_id, isouter=True)
        .where(EntitlementRow.user_id == user_id, col(EntitlementRow.revoked_at).is_(None))
    )
    if course_id is not None:
        query = query.where(EntitlementRow.course_id == course_id)
    order = (col(EntitlementRow.granted_at).desc(), col(EntitlementRow.order_id).desc())
    return [(row, course) for row, course in (await tx.exec(query.order_by(*order))).all()]
