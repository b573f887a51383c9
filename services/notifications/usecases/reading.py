"""Inboxes as their users read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from services.notifications import contract
from services.notifications.contract import Kind, Locale
from services.notifications.domain.kinds import CATEGORY
from services.notifications.domain.links import link_of
from services.notifications.store import inbox, people
from services.notifications.store.tables import CourseRow, NotificationRow
from services.notifications.usecases.letters import Letters, Told
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import FieldError, NotFound
from suuupra.pagination import Page, PageRequest


async def page(
    tx: Transaction, letters: Letters, user_id: UUID, paging: PageRequest, *, unread: bool
) -> Page[contract.Notification]:
    """A page of a user's inbox, the newest first, in their language."""
    after = paging.after(datetime, UUID)
    rows = await inbox.newest(tx, user_id, unread=unread, after=after, limit=paging.limit + 1)
    person, courses = await people.find(tx, user_id), await _courses(tx, rows)
    return paging.page(
        rows,
        key=lambda row: (row.created_at, row.id),
        view=lambda row: _view(letters, row, person.locale, courses),
    )


async def mark_read(
    tx: Transaction, clock: Clock, letters: Letters, user_id: UUID, id_: UUID
) -> contract.Notification:
    """Note that a user looked at a line. Raises NotFound for what is not theirs."""
    await inbox.read(tx, user_id, id_, clock.now())
    row = await _own(tx, user_id, id_)
    person = await people.find(tx, user_id)
    return _view(letters, row, person.locale, await _courses(tx, [row]))


async def mark_all_read(tx: Transaction, clock: Clock, user_id: UUID, up_to: UUID) -> contract.Unread:
    """Note that a user looked at everything up to a line. Raises NotFound for a line that is not theirs."""
    await _own(tx, user_id, up_to)
    await inbox.read_all(tx, user_id, up_to, clock.now())
    return contract.Unread(unread=await inbox.unread(tx, user_id))


async def _own(tx: Transaction, user_id: UUID, id_: UUID) -> NotificationRow:
    row = await inbox.one(tx, user_id, id_)
    if row is None:
        error = FieldError("path", "must lead to a notification of yours", "take the id from your list")
        raise NotFound(f"There is no notification {id_} of yours.", errors=[error])
    return row


async def _courses(tx: Transaction, rows: Sequence[NotificationRow]) -> Mapping[UUID, CourseRow]:
    return await people.courses(tx, [UUID(row.data["course_id"]) for row in rows if "course_id" in row.data])


def _view(
    letters: Letters, row: NotificationRow, locale: Locale, courses: Mapping[UUID, CourseRow]
) -> contract.Notification:
    kind = cast(Kind, row.kind)
    course = courses.get(UUID(row.data["course_id"])) if "course_id" in row.data else None
    link = link_of(kind, row.data, course.slug if course else None)
    told = Told(kind, row.data, None, course.title if course else None, link)
    title, body = letters.line(told, locale)
    return contract.Notification(
        id=row.id,
        kind=kind,
        category=CATEGORY[kind],
        title=title,
        body=body,
        link=link,
        created_at=row.created_at,
        read_at=row.read_at,
    )
