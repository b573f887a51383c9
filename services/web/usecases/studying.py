"""«My courses»: what somebody has or has begun, how far they are, and where each goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.commerce.contract import Entitlement
from services.web.clients.calling import Refused
from services.web.clients.commerce import Commerce, CommerceAway
from services.web.clients.content import Content, ContentAway, Reader
from services.web.domain import reading as domain
from services.web.usecases.reading import ShelfItem, shelf
from suuupra import errors

MOST_SHOWN: Final = 60


@dataclass(frozen=True)
class OwnCourse:
    """A course of somebody's that they have not begun, or of which no more can be told now."""

    id: UUID
    title: str
    url: str


@dataclass(frozen=True)
class LearningView:
    """Begun courses, the latest first, then those that wait."""

    begun: list[ShelfItem]
    waiting: list[OwnCourse]
    progress_away: bool
    shop_away: bool


async def learning(content: Content, shop: Commerce, bearer: str) -> LearningView:
    """What a person has. Each part is there while the other is away."""
    reader = Reader(bearer=bearer)
    begun, owned = await asyncio.gather(_begun(content, reader), _owned(shop, bearer))
    known = {item.course.id for item in begun or []}
    waiting = [_own(one) for one in owned or [] if one.course_id not in known]
    return LearningView(begun or [], waiting, begun is None, owned is None)


async def _begun(content: Content, reader: Reader) -> list[ShelfItem] | None:
    try:
        return await shelf(content, reader, MOST_SHOWN, strict=True)
    except (ContentAway, errors.TooManyRequests):
        return None


async def _owned(shop: Commerce, bearer: str) -> list[Entitlement] | None:
    try:
        return (await shop.entitlements(bearer)).items[:MOST_SHOWN]
    except (CommerceAway, Refused, errors.TooManyRequests):
        return None


def _own(one: Entitlement) -> OwnCourse:
    return OwnCourse(
        one.course_id, one.title or "A course of yours", domain.course_url(one.slug or str(one.course_id))
    )
