"""How far learners are, and how many completed what."""

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from services.content.contract import Learner
from services.content.domain.progress import Progress
from services.content.store.tables import ProgressRow
from suuupra.db import Transaction

COUNT_SHARDS: Final = 16
"""Rows over which a lesson's count is spread: so many workers can count the same lesson at the same time."""

_BEGIN: Final = text("""
INSERT INTO lesson_progress (learner_kind, learner_id, lesson_id, course_id, position, started_at, changed_at)
VALUES (:learner_kind, :learner_id, :lesson_id, :course_id, :position, :started_at, :changed_at)
ON CONFLICT DO NOTHING
""")
_LOCK: Final = text("""
SELECT lesson_id, course_id, position, started_at, changed_at, completed_at FROM lesson_progress
WHERE learner_kind = :learner_kind AND learner_id = :learner_id AND lesson_id = :lesson_id FOR UPDATE
""")
_SAVE: Final = text("""
UPDATE lesson_progress SET position = :position, changed_at = :changed_at, completed_at = :completed_at
WHERE learner_kind = :learner_kind AND learner_id = :learner_id AND lesson_id = :lesson_id
""")


async def lock(tx: Transaction, learner: Learner, fresh: Progress) -> Progress:
    """The learner's progress in a lesson, to be changed; `fresh` when there was none."""
    key = {"learner_kind": learner.kind, "learner_id": learner.id, "lesson_id": fresh.lesson_id}
    times = {"started_at": fresh.started_at, "changed_at": fresh.changed_at}
    await tx.execute(_BEGIN, {**key, **times, "course_id": fresh.course_id, "position": fresh.position})
    return Progress(*(await tx.execute(_LOCK, key)).one())


async def save(tx: Transaction, learner: Learner, progress: Progress) -> None:
    """Keep what `lock` gave, advanced."""
    key = {"learner_kind": learner.kind, "learner_id": learner.id, "lesson_id": progress.lesson_id}
    changed = {
        "position": progress.position,
        "changed_at": progress.changed_at,
        "completed_at": progress.completed_at,
    }
    await tx.execute(_SAVE, {**key, **changed})


async def of_learner(tx: Transaction, learner: Learner, course_id: UUID | None) -> Sequence[Progress]:
    """A learner's lessons, of one course or of all, the latest first; at most 1,000."""
    query = select(ProgressRow).where(
        ProgressRow.learner_kind == learner.kind, ProgressRow.learner_id == learner.id
    )
    if course_id is not None:
        query = query.where(ProgressRow.course_id == course_id)
    rows = await tx.exec(query.order_by(col(ProgressRow.changed_at).desc()).limit(1000))
    return [
        Progress(it.lesson_id, it.course_id, it.position, it.started_at, it.changed_at, it.completed_at)
        for it in rows.all()
    ]


_TAKE: Final = text("""
DELETE FROM lesson_progress WHERE learner_kind = :learner_kind AND learner_id = :learner_id
RETURNING lesson_id, course_id, position, started_at, changed_at, completed_at
""")
_GIVE: Final = text("""
INSERT INTO lesson_progress
    (learner_kind, learner_id, lesson_id, course_id, position, started_at, changed_at, completed_at)
SELECT :learner_kind, :learner_id, * FROM unnest(CAST(:lessons AS uuid[]), CAST(:courses AS uuid[]),
    CAST(:positions AS integer[]), CAST(:started AS timestamptz[]), CAST(:changed AS timestamptz[]),
    CAST(:completed AS timestamptz[])) AS t (lesson_id, course_id, position, started_at, changed_at, completed_at)
ORDER BY lesson_id
ON CONFLICT DO NOTHING
RETURNING lesson_id
""")
_LOCK_ALL: Final = text("""
SELECT lesson_id, course_id, position, started_at, changed_at, completed_at FROM lesson_progress
WHERE learner_kind = :learner_kind AND learner_id = :learner_id AND lesson_id = ANY (CAST(:lessons AS uuid[]))
ORDER BY lesson_id FOR UPDATE
""")
_SAVE_ALL: Final = text("""
UPDATE lesson_progress SET position = t.position, started_at = t.started_at, changed_at = t.changed_at,
    completed_at = t.completed_at
FROM unnest(CAST(:lessons AS uuid[]), CAST(:courses AS uuid[]), CAST(:positions AS integer[]),
    CAST(:started AS timestamptz[]), CAST(:changed AS timestamptz[]), CAST(:completed AS timestamptz[]))
    AS t (lesson_id, course_id, position, started_at, changed_at, completed_at)
WHERE learner_kind = :learner_kind AND learner_id = :learner_id AND lesson_progress.lesson_id = t.lesson_id
""")


async def take(tx: Transaction, learner: Learner) -> dict[UUID, Progress]:
    """All of a learner's progress, which is then nobody's, by lesson."""
    rows = await tx.execute(_TAKE, {"learner_kind": learner.kind, "learner_id": learner.id})
    return {row[0]: Progress(*row) for row in rows}


async def give(tx: Transaction, learner: Learner, given: Mapping[UUID, Progress]) -> Sequence[Progress]:
    """Give the learner progress in lessons they never opened; return theirs in the others, to be changed."""
    key = {"learner_kind": learner.kind, "learner_id": learner.id}
    new = {row[0] for row in await tx.execute(_GIVE, {**key, **_columns(given.values())})}
    rows = await tx.execute(_LOCK_ALL, {**key, "lessons": [it for it in given if it not in new]})
    return [Progress(*row) for row in rows]


async def save_all(tx: Transaction, learner: Learner, changed: Collection[Progress]) -> None:
    """Keep what `give` returned, changed."""
    if changed:
        key = {"learner_kind": learner.kind, "learner_id": learner.id}
        await tx.execute(_SAVE_ALL, {**key, **_columns(changed)})


def _columns(all_: Collection[Progress]) -> dict[str, list[Any]]:
    return {
        "lessons": [it.lesson_id for it in all_],
        "courses": [it.course_id for it in all_],
        "positions": [it.position for it in all_],
        "started": [it.started_at for it in all_],
        "changed": [it.changed_at for it in all_],
        "completed": [it.completed_at for it in all_],
    }


_COURSES: Final = text("""
WITH mine AS (
    SELECT course_id, lesson_id, changed_at, completed_at FROM lesson_progress
    WHERE learner_kind = :learner_kind AND learner_id = :learner_id),
per_course AS (
    SELECT mine.course_id, count(*) FILTER (WHERE completed_at IS NOT NULL) AS completed, max(changed_at) AS at
    FROM mine JOIN shown_lesson USING (lesson_id) GROUP BY mine.course_id)
SELECT shown.summary, per_course.completed, per_course.at, latest.page
FROM per_course
JOIN shown_course shown USING (course_id)
JOIN LATERAL (
    SELECT json_build_object('id', lesson_id, 'slug', slug, 'title', page::json ->> 'title') AS page
    FROM mine JOIN shown_lesson USING (lesson_id) WHERE mine.course_id = per_course.course_id
    ORDER BY changed_at DESC LIMIT 1) latest ON true
ORDER BY per_course.at DESC LIMIT :limit
""")


async def courses_of(
    tx: Transaction, learner: Learner, limit: int
) -> Sequence[tuple[str, int, datetime, Mapping[str, str]]]:
    """The shown courses a learner began, the latest first: summary (JSON), lessons completed, last change, lesson."""
    values = {"learner_kind": learner.kind, "learner_id": learner.id, "limit": limit}
    return [(row[0], row[1], row[2], row[3]) for row in await tx.execute(_COURSES, values)]


_COUNT: Final = text("""
INSERT INTO completion_count AS counted (lesson_id, shard, course_id, completions)
SELECT lesson_id, shard, course_id, completions
FROM unnest(CAST(:lessons AS uuid[]), CAST(:shards AS smallint[]), CAST(:courses AS uuid[]), CAST(:counts AS bigint[]))
    AS t (lesson_id, shard, course_id, completions)
ORDER BY lesson_id, shard
ON CONFLICT (lesson_id, shard) DO UPDATE SET completions = counted.completions + excluded.completions
""")


def shard_of(learner: Learner) -> int:
    """The part of every count that a learner adds to."""
    return zlib.crc32(f"{learner.kind}:{learner.id}".encode()) % COUNT_SHARDS


async def count(tx: Transaction, completions: Iterable[tuple[UUID, UUID, Learner]]) -> None:
    """Add completions (lesson, course, learner) to the counts, in one statement that locks rows in a fixed order."""
    added: dict[tuple[UUID, int], tuple[UUID, int]] = {}
    for lesson_id, course_id, learner in completions:
        key = (lesson_id, shard_of(learner))
        added[key] = (course_id, added.get(key, (course_id, 0))[1] + 1)
    values = {
        "lessons": [lesson_id for lesson_id, _ in added],
        "shards": [shard for _, shard in added],
        "courses": [course_id for course_id, _ in added.values()],
        "counts": [number for _, number in added.values()],
    }
    await tx.execute(_COUNT, values)


async def counts(tx: Transaction, course_id: UUID) -> Mapping[UUID, int]:
    """Completions of each lesson of a course that was ever completed."""
    found = text(
        "SELECT lesson_id, sum(completions)::bigint FROM completion_count WHERE course_id = :course_id GROUP BY lesson_id"
    )
    return {row[0]: row[1] for row in await tx.execute(found, {"course_id": course_id})}
