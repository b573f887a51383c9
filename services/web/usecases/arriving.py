"""What becomes of a visitor's things when they sign in: the cart is theirs, and so is what they have read.

Neither may keep anybody from signing in: what is away now is tried again when it is next needed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from services.web.clients.commerce import Commerce
from services.web.clients.content import Content
from services.web.domain.sessions import Viewer
from suuupra import errors, logs

_log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Arrived:
    """The person's cart, if they have one; and whether the visitor's progress is theirs now."""

    cart: str | None
    merged: bool


async def settle(
    content: Content, shop: Commerce, viewer: Viewer, *, cart: str | None, visitor: UUID | None
) -> Arrived:
    """Claim the cart and merge the progress, both at once."""
    claimed, merged = await asyncio.gather(_claim(shop, viewer, cart), merge(content, viewer, visitor))
    return Arrived(claimed, merged)


async def _claim(shop: Commerce, viewer: Viewer, cart: str | None) -> str | None:
    try:
        return await shop.claim(cart, viewer.bearer)
    except errors.Problem as problem:
        _log.warning("a cart could not be claimed at sign-in", slug=problem.slug)
        return None


async def merge(content: Content, viewer: Viewer, visitor: UUID | None) -> bool:
    """Whether there is nothing left of the visitor that is not the person's."""
    if visitor is None:
        return True
    try:
        await content.merge(visitor, viewer.bearer)
    except errors.Problem as problem:
        _log.warning("progress could not be merged at sign-in", slug=problem.slug)
        return False
    return True
