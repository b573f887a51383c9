"""Writing an import: in steps that can each be cut off, and do nothing when they were done before.

1. One transaction makes the outline: the course, its modules and lessons with their ids, so that links can name
   lessons that are written later; what is no longer in the folder goes.
2. Each picture is uploaded, unless the course has the same bytes.
3. Each lesson is written in a transaction of its own, unless its text has the same hash.
4. The course is published, unless learners read exactly this already.

Until 4 learners see nothing of it. Two imports of one course take turns.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from services.content import contract
from services.content.domain import markup
from services.content.domain.authors import Author
from services.content.domain.documents.plan import CoursePlan, ImportedLinks, LinkMap, PlannedLesson
from services.content.store import drafts
from services.content.store.tables import LessonRow
from services.content.usecases import lessons, media, publishing
from services.content.usecases.courses import changed
from services.content.usecases.importing.folder import Folder, Picture
from services.content.usecases.importing.outline import Outline, make_outline
from services.content.usecases.importing.survey import Survey
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.etags import Precondition
from suuupra.objects import ObjectStore

_ANY = Precondition(None)
"""An import owns its course: it does not ask what state it is in."""


class Watch(Protocol):
    """Is told how far an import is."""

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` steps begins."""

    def step(self, what: str) -> None:
        """One step is done."""


@dataclass(frozen=True, slots=True)
class Job:
    """Whose course an import makes, what it is recognised by, and what is said of it."""

    author: Author
    source_key: str
    fields: contract.CourseFields
    publish: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    course_id: UUID
    slug: str
    lessons: int
    written: int
    removed: int
    pictures: int
    revision: int | None


@dataclass(frozen=True, slots=True)
class Importer:
    """One import of one folder."""

    database: Database
    objects: ObjectStore
    clock: Clock
    folder: Folder
    job: Job
    watch: Watch

    async def run(self, survey: Survey) -> Imported:
        """Write what `survey` found."""
        planned = survey.plan
        async with self.database.transaction() as tx:
            key, fields = self.job.source_key, self.job.fields
            outline = await make_outline(tx, self.clock, self.job.author, key, fields, planned)
        pictures = await self._upload(outline, survey.pictures)
        written = await self._write(outline, planned, pictures)
        revision = await self._publish(outline.course_id) if self.job.publish else None
        return Imported(
            outline.course_id,
            outline.slug,
            lessons=len(outline.lesson_ids),
            written=written,
            removed=outline.removed,
            pictures=len(pictures),
            revision=revision,
        )

    async def _upload(self, outline: Outline, pictures: tuple[Picture, ...]) -> dict[str, markup.Picture]:
        self.watch.begin("pictures", len(pictures))
        uploaded: dict[str, markup.Picture] = {}
        for picture in pictures:
            target = media.Target(self.job.author, outline.course_id, picture.path, picture.size)
            stored = await media.store_once(
                self.database, self.objects, self.clock, target, picture.sha256, self._bytes(picture)
            )
            uploaded[picture.path] = markup.Picture(stored.url, stored.width, stored.height)
            self.watch.step(picture.path)
        return uploaded

    async def _bytes(self, picture: Picture) -> AsyncIterator[bytes]:
        yield self.folder.picture_bytes(picture.path)

    async def _write(
        self, outline: Outline, planned: CoursePlan, pictures: Mapping[str, markup.Picture]
    ) -> int:
        links = LinkMap(planned)
        self.watch.begin("lessons", len(outline.lesson_ids))
        written = 0
        for lesson in planned.lessons:
            resolver = ImportedLinks(lesson, links, outline.lesson_ids, pictures)
            cleaned = markup.clean(lesson.html, resolver)
            written += await self._write_lesson(outline, lesson, cleaned)
            self.watch.step(lesson.title)
        return written

    async def _write_lesson(self, outline: Outline, lesson: PlannedLesson, cleaned: str) -> bool:
        """Whether the lesson had to be written."""
        if outline.hashes.get(lesson.key) == lessons.hash_of(cleaned):
            return False
        async with self.database.transaction() as tx:
            await self._rewrite(tx, outline, lesson, cleaned)
        return True

    async def _rewrite(self, tx: Transaction, outline: Outline, lesson: PlannedLesson, cleaned: str) -> None:
        course = await drafts.lock_course(tx, self.job.author, outline.course_id)
        row = await tx.get(LessonRow, outline.lesson_ids[lesson.key])
        if course is None or row is None:
            return  # deleted while it was being imported; the next import makes it again
        await lessons.write_text(tx, row, cleaned)
        row.version += 1
        changed(course, self.clock)

    async def _publish(self, course_id: UUID) -> int:
        self.watch.begin("publish", 1)
        async with self.database.transaction() as tx:
            revision = await publishing.publish(tx, self.clock, self.job.author, course_id, _ANY)
        self.watch.step(f"revision {revision.number}")
        return revision.number
