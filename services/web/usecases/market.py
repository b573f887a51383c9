"""What is on sale, and what a person has already: for pages that must be there while commerce is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar
from uuid import UUID

from services.web.clients.calling import Refused, SignInNeeded
from services.web.clients.commerce import Commerce
from services.web.domain.shopping import Market
from suuupra import errors

T = TypeVar("T")


async def market_for(shop: Commerce, bearer: str | None) -> Market:
    """Offers and rights, each None when it cannot be told."""
    offers, owned = await asyncio.gather(
        _if_told(shop.offers()), _if_told(shop.owned(bearer)) if bearer else _nothing_owned()
    )
    return Market(offers, owned)


async def _nothing_owned() -> frozenset[UUID]:
    return frozenset()


async def _if_told(answer: Awaitable[T]) -> T | None:
    try:
        return await answer
    except (errors.Unavailable, errors.TooManyRequests, errors.Forbidden, Refused, SignInNeeded):
        return None
