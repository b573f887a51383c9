"""The modules and lessons of a creator's course."""

from functools import partial
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Response

from services.content import contract
from services.content.api.dependencies import Db, Writing
from services.content.usecases import lessons
from suuupra.app import Now
from suuupra.etags import IfMatch, etag_of
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems

router = APIRouter(prefix="/v1/authoring", tags=["authoring"])

_LESSON_BYTES: Final = 4 * contract.MAX_ARTICLE_CHARACTERS + 65_536
"""UTF-8 needs up to four bytes a character."""


@router.post(
    "/courses/{course_id}/modules",
    status_code=201,
    response_model=contract.ModuleDraft,
    responses=problems(400),
)
async def add_module(
    db: Db, clock: Now, author: Writing, once: RequiredKey, course_id: UUID, new: contract.NewModule
) -> Response:
    """Add a module to your course."""
    effect = partial(lessons.add_module, clock=clock, author=author, course_id=course_id, new=new)
    return await once.answer(db, effect, headers=lambda view: _created("modules", view))


@router.put("/modules/{module_id}")
async def rename_module(
    db: Db,
    clock: Now,
    author: Writing,
    match: IfMatch,
    module_id: UUID,
    fields: contract.ModuleFields,
    response: Response,
) -> contract.ModuleDraft:
    """Give the module another title."""
    async with db.transaction() as tx:
        view = await lessons.rename_module(tx, clock, author, module_id, fields, match)
    response.headers["ETag"] = etag_of(view.version)
    return view


@router.delete("/modules/{module_id}", status_code=204)
async def delete_module(db: Db, clock: Now, author: Writing, match: IfMatch, module_id: UUID) -> None:
    """Delete the module with its lessons."""
    async with db.transaction() as tx:
        await lessons.delete_module(tx, clock, author, module_id, match)


@router.post(
    "/modules/{module_id}/lessons",
    status_code=201,
    response_model=contract.LessonDraft,
    responses=problems(400, 409),
    max_body_size=_LESSON_BYTES,
)
async def add_lesson(
    db: Db, clock: Now, author: Writing, once: RequiredKey, module_id: UUID, new: contract.NewLesson
) -> Response:
    """Add a lesson to the module."""
    text = await lessons.sanitised(new.body)
    effect = partial(lessons.add_lesson, clock=clock, author=author, module_id=module_id, new=new, text=text)
    return await once.answer(db, effect, headers=lambda view: _created("lessons", view))


def _created(what: str, view: contract.ModuleDraft | contract.LessonDraft) -> dict[str, str]:
    return {"Location": f"{router.prefix}/{what}/{view.id}", "ETag": etag_of(view.version)}


@router.get("/lessons/{lesson_id}")
async def read_lesson(db: Db, author: Writing, lesson_id: UUID, response: Response) -> contract.LessonDraft:
    """A lesson of your course as you left it."""
    async with db.reading() as tx:
        view = await lessons.read_lesson(tx, author, lesson_id)
    response.headers["ETag"] = etag_of(view.version)
    return view


@router.put("/lessons/{lesson_id}", responses=problems(409), max_body_size=_LESSON_BYTES)
async def change_lesson(
    db: Db,
    clock: Now,
    author: Writing,
    match: IfMatch,
    lesson_id: UUID,
    fields: contract.LessonFields,
    response: Response,
) -> contract.LessonDraft:
    """Replace the lesson's title and body; its slug when one is given."""
    text = await lessons.sanitised(fields.body)
    async with db.transaction() as tx:
        view = await lessons.change_lesson(tx, clock, author, lesson_id, fields, text, match)
    response.headers["ETag"] = etag_of(view.version)
    return view


@router.delete("/lessons/{lesson_id}", status_code=204)
async def delete_lesson(db: Db, clock: Now, author: Writing, match: IfMatch, lesson_id: UUID) -> None:
    """Delete the lesson from the draft. Learners read it until the course is published again."""
    async with db.transaction() as tx:
        await lessons.delete_lesson(tx, clock, author, lesson_id, match)
