"""What learners read: one indexed statement per request, answering with JSON that was made at publication."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text

from services.content.domain.publishing import Document, Rendered
from suuupra.db import Transaction

_COURSE_BY_ID: Final = text("SELECT details, details_etag, NULL FROM shown_course WHERE course_id = :key")
_COURSE_BY_SLUG: Final = text("SELECT details, details_etag, NULL FROM shown_course WHERE slug = :key")
# The third column names the course whose entitled readers are answered differently; null when all read the same.
_CONTENTS: Final = "SELECT contents, contents_etag, CASE WHEN access = 'entitled' THEN course_id END FROM shown_course WHERE {}"
_CONTENTS_BY_ID: Final = text(_CONTENTS.format("course_id = :key"))
_CONTENTS_BY_SLUG: Final = text(_CONTENTS.format("slug = :key"))
_PAGE: Final = "SELECT l.page, l.etag, CASE WHEN l.locked THEN l.course_id END FROM {} WHERE {}"
_IN_COURSE: Final = "shown_course c JOIN shown_lesson l USING (course_id)"
_LESSON: Final = text(_PAGE.format("shown_lesson l", "l.lesson_id = :lesson"))
_LESSON_BY_ID_ID: Final = text(
    _PAGE.format("shown_lesson l", "l.lesson_id = :lesson AND l.course_id = :course")
)
_LESSON_BY_ID_SLUG: Final = text(_PAGE.format("shown_lesson l", "l.course_id = :course AND l.slug = :lesson"))
_LESSON_BY_SLUG_ID: Final = text(_PAGE.format(_IN_COURSE, "l.lesson_id = :lesson AND c.slug = :course"))
_LESSON_BY_SLUG_SLUG: Final = text(_PAGE.format(_IN_COURSE, "c.slug = :course AND l.slug = :lesson"))

Key = UUID | str
"""An id or a slug."""


async def course(tx: Transaction, key: Key) -> Document | None:
    """A course's details."""
    return await _one(tx, _COURSE_BY_ID if isinstance(key, UUID) else _COURSE_BY_SLUG, key=key)


async def contents(tx: Transaction, key: Key) -> Document | None:
    """A course's table of contents."""
    return await _one(tx, _CONTENTS_BY_ID if isinstance(key, UUID) else _CONTENTS_BY_SLUG, key=key)


async def lesson(tx: Transaction, lesson_id: UUID) -> Document | None:
    """A lesson's page."""
    return await _one(tx, _LESSON, lesson=lesson_id)


async def lesson_of(tx: Transaction, course_key: Key, lesson_key: Key) -> Document | None:
    """A lesson's page, found inside its course."""
    if isinstance(course_key, UUID):
        statement = _LESSON_BY_ID_ID if isinstance(lesson_key, UUID) else _LESSON_BY_ID_SLUG
    else:
        statement = _LESSON_BY_SLUG_ID if isinstance(lesson_key, UUID) else _LESSON_BY_SLUG_SLUG
    return await _one(tx, statement, course=course_key, lesson=lesson_key)


async def _one(tx: Transaction, statement: TextClause, **values: Key) -> Document | None:
    row = (await tx.execute(statement, values)).one_or_none()
    return None if row is None else Document(*row)


@dataclass(frozen=True, slots=True)
class Listed:
    """A course in the catalogue: its place, and its summary as JSON."""

    listed_at: datetime
    course_id: UUID
    summary: str


_LIST = "SELECT listed_at, course_id, summary FROM shown_course WHERE {} ORDER BY listed_at DESC, course_id DESC LIMIT :limit"
_AFTER: Final = "(listed_at, course_id) < (:listed_at, :course_id)"
_MATCHES: Final = "words @@ to_tsquery('simple', :words)"
_LISTS: Final = {
    (searched, continued): text(
        _LIST.format(
            " AND ".join(["true", *([_MATCHES] if searched else []), *([_AFTER] if continued else [])])
        )
    )
    for searched in (True, False)
    for continued in (True, False)
}


async def catalogue(
    tx: Transaction, words: str | None, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Listed]:
    """Published courses, the newest first; with `words`, a tsquery, those whose title matches."""
    values: dict[str, object] = {"limit": limit}
    if words is not None:
        values["words"] = words
    if after is not None:
        values["listed_at"], values["course_id"] = after
    rows = await tx.execute(_LISTS[words is not None, after is not None], values)
    return [Listed(*row) for row in rows]


_SHOW: Final = text("""
INSERT INTO shown_course AS shown (course_id, slug, title, listed_at, revision, summary, details, details_etag,
    contents, contents_etag, access)
VALUES (:course_id, :slug, :title, :listed_at, :revision, :summary, :details, :details_etag, :contents, :contents_etag,
    :access)
ON CONFLICT (course_id) DO UPDATE SET slug = excluded.slug, title = excluded.title, revision = excluded.revision,
    summary = excluded.summary, details = excluded.details, details_etag = excluded.details_etag,
    contents = excluded.contents, contents_etag = excluded.contents_etag, access = excluded.access
""")
_CLEAR_LESSONS: Final = text("DELETE FROM shown_lesson WHERE course_id = :course_id")
_SHOW_LESSON: Final = text("""
INSERT INTO shown_lesson (lesson_id, course_id, slug, etag, page, locked)
VALUES (:id, :course_id, :slug, :etag, :page, :locked)
""")
_OPEN_MEDIA: Final = text("""
UPDATE media SET public = wanted.public, entitled = wanted.entitled
FROM (SELECT id, id = ANY (CAST(:open AS uuid[])) AS public, id = ANY (CAST(:locked AS uuid[])) AS entitled
      FROM media WHERE course_id = :course_id) wanted
WHERE media.id = wanted.id AND (media.public, media.entitled) <> (wanted.public, wanted.entitled)
""")


async def show(tx: Transaction, rendered: Rendered, revision: int, listed_at: datetime) -> None:
    """Make a revision what learners read. Lessons are replaced as a whole: their slugs may have changed places."""
    course_id = rendered.summary.id
    values = {
        "course_id": course_id,
        "slug": rendered.summary.slug,
        "title": rendered.summary.title,
        "listed_at": listed_at,
        "revision": revision,
        "summary": rendered.summary.model_dump_json(),
        "details": rendered.details.json,
        "details_etag": rendered.details.etag,
        "contents": rendered.contents.json,
        "contents_etag": rendered.contents.etag,
        "access": rendered.summary.access,
    }
    await tx.execute(_SHOW, values)
    await tx.execute(_CLEAR_LESSONS, {"course_id": course_id})
    rows = [
        {
            "id": it.id,
            "course_id": course_id,
            "slug": it.slug,
            "etag": it.page.etag,
            "page": it.page.json,
            "locked": it.locked,
        }
        for it in rendered.lessons
    ]
    await tx.execute(_SHOW_LESSON, rows)
    files = {"open": list(rendered.open_media), "locked": list(rendered.locked_media)}
    await tx.execute(_OPEN_MEDIA, {"course_id": course_id, **files})


async def hide(tx: Transaction, course_id: UUID) -> None:
    """Show a course no longer."""
    await tx.execute(text("DELETE FROM shown_course WHERE course_id = :course_id"), {"course_id": course_id})
    await tx.execute(_OPEN_MEDIA, {"course_id": course_id, "open": [], "locked": []})


@dataclass(frozen=True, slots=True)
class Place:
    """The course in which learners read a lesson, and whether it takes an entitlement."""

    course_id: UUID
    locked: bool


async def place_of(tx: Transaction, lesson_id: UUID) -> Place | None:
    """Where learners read a lesson; None when they do not."""
    found = text("SELECT course_id, locked FROM shown_lesson WHERE lesson_id = :lesson_id")
    row = (await tx.execute(found, {"lesson_id": lesson_id})).one_or_none()
    return None if row is None else Place(*row)
