"""Lists in pages, by cursor: the next page begins after the last row seen, however many rows came or went meanwhile.

rows = await store.newest(tx, after=paging.after(datetime, UUID), limit=paging.limit + 1)
return paging.page(rows, key=lambda row: (row.created_at, row.id), view=CourseView.of)
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, overload
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from suuupra import fields
from suuupra.errors import FieldError, Invalid

LONGEST_CURSOR = 1024
"""Characters of a cursor; what sorts a list is never longer."""

SortValue = datetime | UUID | int | str
A = TypeVar("A", bound=SortValue)
B = TypeVar("B", bound=SortValue)
C = TypeVar("C", bound=SortValue)
Row = TypeVar("Row")
T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """Some of a list."""

    items: list[T]
    next: str | None = Field(default=None, description="The `cursor` of the next page; null on the last one.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for. Fetch `limit + 1` rows: the one too many tells that there is a next page."""

    limit: int
    cursor: str | None = None

    @overload
    def after(self, first: type[A], /) -> tuple[A] | None: ...
    @overload
    def after(self, first: type[A], second: type[B], /) -> tuple[A, B] | None: ...
    @overload
    def after(self, first: type[A], second: type[B], third: type[C], /) -> tuple[A, B, C] | None: ...
    def after(self, *types: type[Any]) -> tuple[Any, ...] | None:
        """The sort values of the last row seen, in the types given, or None for the first page. Raises Invalid."""
        return None if self.cursor is None else _decode(self.cursor, types)

    def page(
        self, rows: Sequence[Row], *, key: Callable[[Row], tuple[SortValue, ...]], view: Callable[[Row], T]
    ) -> Page[T]:
        """The page that `rows` make; `key` gives what they are sorted by, ending in something unique."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return Page(items=[view(row) for row in shown], next=_encode(key(shown[-1])) if more else None)


def _encode(values: tuple[SortValue, ...]) -> str:
    texts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(texts, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str, types: Sequence[type[Any]]) -> tuple[Any, ...]:
    try:
        texts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        return tuple(_read(kind, text) for kind, text in zip(types, texts, strict=True))
    except (ValueError, TypeError, RecursionError) as error:  # the last: a thousand brackets in 768 bytes
        field = FieldError(
            "query.cursor", "must be the `next` of a page of this list", "leave it out to begin again"
        )
        raise Invalid("The cursor does not belong to this list.", errors=[field]) from error


def _read(kind: type[Any], text: str) -> SortValue:
    if not isinstance(text, str):
        raise TypeError("a cursor holds texts")
    if kind is datetime:
        return _aware(datetime.fromisoformat(text))
    value: SortValue = kind(fields.storable(text))
    if isinstance(value, int) and abs(value) > fields.GREATEST:
        raise ValueError("a cursor's numbers fit a bigint")
    return value


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a cursor's times are aware")
    return moment


def paging_of(default: int = 20, maximum: int = 100) -> Callable[..., Any]:
    """A dependency that reads `limit` (1 to `maximum`) and `cursor` from the query."""

    async def paging(
        limit: Annotated[int, Query(ge=1, le=maximum, description="How many items at most.")] = default,
        cursor: Annotated[
            str | None,
            Query(max_length=LONGEST_CURSOR, description="`next` of the page before; absent for the first."),
        ] = None,
    ) -> PageRequest:
        return PageRequest(limit, cursor)

    return paging


paging = paging_of()
Paging = Annotated[PageRequest, Depends(paging)]
