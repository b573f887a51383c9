"""What a process uses outside itself for its whole life: opened in order, closed in reverse, found by type."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol, TypeVar, cast


class Resource(Protocol):
    """A database, a bucket, another service."""

    @property
    def name(self) -> str:
        """What /readyz and the log call it."""

    async def open(self) -> None:
        """Prepare it. Must not fail only because the far side is away for a moment."""

    async def close(self) -> None:
        """Let go of it."""

    async def check(self) -> None:
        """Raise when it cannot be used right now. Called at most once a second, with a second to answer."""


R = TypeVar("R")


class Resources:
    """The resources of one process."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        kinds = Counter(type(resource) for resource in resources)
        self._named: dict[tuple[type, str], Resource] = {(type(one), one.name): one for one in resources}
        self._only: dict[type, Resource] = {type(one): one for one in resources if kinds[type(one)] == 1}

    def find(self, kind: type[R], name: str | None = None) -> R | None:
        """The one of that type; of several, the one of that name."""
        return cast("R | None", self._only.get(kind) if name is None else self._named.get((kind, name)))

    def get(self, kind: type[R], name: str | None = None) -> R:
        """As `find`, but LookupError when there is none, or when there are several and no name."""
        found = self.find(kind, name)
        if found is None:
            having = (
                ", ".join(f"{type(one).__name__} {one.name!r}" for one in self._named.values()) or "nothing"
            )
            wanted = kind.__name__ if name is None else f"{kind.__name__} {name!r}"
            raise LookupError(f"a route needs the resource {wanted}; the app was created with {having}")
        return found


@asynccontextmanager
async def opened(resources: Sequence[Resource]) -> AsyncIterator[None]:
    """Open `resources` in order and close in reverse, also those opened before one that failed."""
    async with AsyncExitStack() as stack:
        for resource in resources:
            await resource.open()
            stack.push_async_callback(resource.close)
        yield
