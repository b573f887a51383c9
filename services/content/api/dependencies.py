"""What routes ask for."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from suuupra.objects import ObjectStore

from suuupra.app import resource
from suuupra.auth import Principal, require_scope
from suuupra.db import Database

Db = Annotated[Database, Depends(resource(Database))]
Objects = Annotated[ObjectStore, Depends(resource(ObjectStore))]
Author = Annotated[Principal, Depends(require_scope("content:write"))]
"""Somebody who may write courses: their own, see the use cases."""


async def _key(
    course: Annotated[str, Path(max_length=120, description="The course's id or slug.")],
) -> UUID | str:
    return id_or_slug(course)


def id_or_slug(text: str) -> UUID | str:
    """A UUID when it is one; no slug ever is."""
    try:
        return UUID(text)
    except ValueError:
        return text


CourseKey = Annotated[UUID | str, Depends(_key)]
