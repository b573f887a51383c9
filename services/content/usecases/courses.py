"""A creator's courses: begin, describe, order, delete."""

from typing import Any
from uuid import UUID

from services.content import contract
from services.content.domain.authors import Author
from services.content.domain.courses import check_order
from services.content.domain.slugs import free_slug, is_slug, slugify
from services.content.store import drafts, shown
from services.content.store.tables import CourseRow
from services.content.usecases import views
from services.content.usecases.problems import slug_taken
from suuupra import outbox
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import FieldError, Invalid, invalid, not_found
from suuupra.etags import Precondition
from suuupra.ids import new_id


async def begin(
    tx: Transaction,
    clock: Clock,
    author: Author,
    new: contract.CourseFields,
    *,
    source_key: str | None = None,
) -> contract.CourseDraft:
    """Begin a course without modules. Learners do not see it before it is published."""
    now = clock.now()
    row = CourseRow(
        id=new_id(),
        owner=author.subject,
        slug=await _new_slug(tx, new),
        source_key=source_key,
        created_at=now,
        updated_at=now,
        **described(new),
    )
    tx.add(row)
    await tx.flush()
    return views.course_draft(await drafts.load(tx, row, texts=False))


def described(fields: contract.CourseFields) -> dict[str, Any]:
    """What the fields say, by the names of columns; what they leave as it is is not among them."""
    kept = {name for name in ("access", "preview_lessons") if getattr(fields, name) is None}
    return fields.model_dump(exclude={"slug", *kept})


async def _new_slug(tx: Transaction, new: contract.CourseFields) -> str:
    wanted = new.slug or slugify(new.title)
    taken = await drafts.slugs_like(tx, wanted[:60])
    if new.slug is None:
        return free_slug(wanted, taken)
    check_slug(wanted)
    if wanted in taken:
        raise slug_taken(wanted)
    return wanted


def check_slug(slug: str) -> None:
    """Raise Invalid unless `slug` reads as slugs do."""
    if not is_slug(slug):
        rule = "must be lower-case letters and digits with hyphens between, at most 80, and no UUID"
        raise invalid("body.slug", rule, f"send {slugify(slug)!r}, or leave it out")


async def read(tx: Transaction, author: Author, course_id: UUID) -> contract.CourseDraft:
    """A course as its owner left it."""
    row = await drafts.owned_course(tx, author, course_id)
    if row is None:
        raise not_found("course", course_id)
    return views.course_draft(await drafts.load(tx, row, texts=False))


async def describe(
    tx: Transaction,
    clock: Clock,
    author: Author,
    course_id: UUID,
    fields: contract.CourseFields,
    match: Precondition,
) -> contract.CourseDraft:
    """Replace what is said of a course; learners see it when it is published again."""
    row = await locked(tx, author, course_id)
    match.require(row.version)
    if fields.slug is not None and fields.slug != row.slug:
        check_slug(fields.slug)
        if fields.slug in await drafts.slugs_like(tx, fields.slug):
            raise slug_taken(fields.slug)
        row.slug = fields.slug
    for name, value in described(fields).items():
        setattr(row, name, value)
    changed(row, clock)
    await tx.flush()
    return views.course_draft(await drafts.load(tx, row, texts=False))


async def order(
    tx: Transaction,
    clock: Clock,
    author: Author,
    course_id: UUID,
    wanted: contract.CourseOrder,
    match: Precondition,
) -> contract.CourseDraft:
    """Put modules and lessons into another order; lessons may move between modules."""
    row = await locked(tx, author, course_id)
    match.require(row.version)
    draft = await drafts.load(tx, row, texts=False)
    tree = [(module.id, module.lessons) for module in wanted.modules]
    wrong = check_order(tree, draft.course)
    if wrong:
        errors = [FieldError(f"body.{it.where}", it.rule, it.fix) for it in wrong]
        raise Invalid(f"The order does not fit the course: {wrong[0].where} {wrong[0].rule}.", errors=errors)
    await drafts.place(tx, course_id, tree)
    changed(row, clock)
    await tx.flush()
    tx.expire_all()
    await tx.refresh(row)
    return views.course_draft(await drafts.load(tx, row, texts=False))


async def delete(tx: Transaction, clock: Clock, author: Author, course_id: UUID, match: Precondition) -> None:
    """Delete a course with all its revisions. Its files are removed from the store by `content sweep`."""
    row = await locked(tx, author, course_id)
    match.require(row.version)
    await hide(tx, clock, row)
    await drafts.delete_all(tx, [row])


async def hide(tx: Transaction, clock: Clock, row: CourseRow) -> None:
    """Show the course to learners no longer, and say so once."""
    if row.shown_revision is None:
        return
    row.shown_revision = None
    await shown.hide(tx, row.id)
    event = contract.CourseUnpublished(course_id=row.id, unpublished_at=clock.now())
    await outbox.append(tx, row.id, event, at=clock.now())


async def locked(tx: Transaction, author: Author, course_id: UUID) -> CourseRow:
    """The author's course, to be changed. Raises NotFound."""
    row = await drafts.lock_course(tx, author, course_id)
    if row is None:
        raise not_found("course", course_id)
    return row


def changed(row: CourseRow, clock: Clock) -> None:
    """Count a change in the course."""
    row.version += 1
    row.updated_at = clock.now()
