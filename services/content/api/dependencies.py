"""What routes ask for."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request
from pydantic import StringConstraints

from services.content.usecases.reading import Copies
from suuupra.app import resource
from suuupra.auth import Principal, require_scope
from suuupra.clock import Clock
from suuupra.db import Database
from suuupra.objects import ObjectStore
from suuupra.resources import Resources

Db = Annotated[Database, Depends(resource(Database))]
Objects = Annotated[ObjectStore, Depends(resource(ObjectStore))]
Kept = Annotated[Copies, Depends(resource(Copies))]
Author = Annotated[Principal, Depends(require_scope("content:write"))]
"""Somebody who may write courses: their own, see the use cases."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What readers are served from."""

    db: Database
    copies: Copies
    clock: Clock

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()


async def _shelf(request: Request) -> Shelf:
    state = request.app.state
    resources: Resources = state.resources
    return Shelf(resources.get(Database), resources.get(Copies), state.clock)


Published = Annotated[Shelf, Depends(_shelf)]
"""One dependency for the three of a page: FastAPI takes as long over each as it takes to read a page from its copy."""

# PostgreSQL's text cannot hold NUL, so it must not be asked for one.
_IdOrSlug = StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00]+$")
CourseName = Annotated[str, _IdOrSlug, Path(description="The course's id or slug.")]
LessonName = Annotated[str, _IdOrSlug, Path(description="The lesson's id or slug.")]


def id_or_slug(text: str) -> UUID | str:
    """A UUID when it is one; no slug ever is."""
    try:
        return UUID(text)
    except ValueError:
        return text
