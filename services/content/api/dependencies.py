"""What routes ask for."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Path, Request
from pydantic import StringConstraints

from services.content.domain.authors import Author
from services.content.usecases.reading import Copies
from suuupra.app import resource
from suuupra.auth import MaybeUser, Principal, require_scope
from suuupra.clock import Clock
from suuupra.db import Database
from suuupra.objects import ObjectStore
from suuupra.resources import Resources

Db = Annotated[Database, Depends(resource(Database))]
Objects = Annotated[ObjectStore, Depends(resource(ObjectStore))]
Kept = Annotated[Copies, Depends(resource(Copies))]
_WRITE: Final = "content:write"


def author_of(caller: Principal) -> Author:
    """Whose courses are the caller's. To an operator all of them, with a token for writing and no other."""
    return Author(caller.subject, all="operator" in caller.roles and _WRITE in caller.scopes)


async def _author(caller: Annotated[Principal, Depends(require_scope(_WRITE))]) -> Author:
    return author_of(caller)


async def _reader(caller: MaybeUser) -> Author | None:
    return None if caller is None else author_of(caller)


Writing = Annotated[Author, Depends(_author)]
"""Somebody who may write courses: their own, see the use cases."""
Reading = Annotated[Author | None, Depends(_reader)]
"""Somebody who reads, or None for somebody who is not signed in."""


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
