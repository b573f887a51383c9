"""What routes ask for."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from pydantic import StringConstraints

from services.content.usecases.reading import Copies
from suuupra.app import resource
from suuupra.auth import Principal, require_scope
from suuupra.db import Database
from suuupra.objects import ObjectStore

Db = Annotated[Database, Depends(resource(Database))]
Objects = Annotated[ObjectStore, Depends(resource(ObjectStore))]
Kept = Annotated[Copies, Depends(resource(Copies))]
Author = Annotated[Principal, Depends(require_scope("content:write"))]
"""Somebody who may write courses: their own, see the use cases."""


def id_or_slug(text: str) -> UUID | str:
    """A UUID when it is one; no slug ever is."""
    try:
        return UUID(text)
    except ValueError:
        return text


# PostgreSQL's text cannot hold NUL, so it must not be asked for one.
_IdOrSlug = StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00]+$")


async def _course_key(
    course: Annotated[str, _IdOrSlug, Path(description="The course's id or slug.")],
) -> UUID | str:
    return id_or_slug(course)


async def _lesson_key(
    lesson: Annotated[str, _IdOrSlug, Path(description="The lesson's id or slug.")],
) -> UUID | str:
    return id_or_slug(lesson)


CourseKey = Annotated[UUID | str, Depends(_course_key)]
LessonKey = Annotated[UUID | str, Depends(_lesson_key)]
