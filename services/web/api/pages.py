"""Rendering: the templates, the head of every page (account, cart, inbox), and who may keep a copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeVar
from urllib.parse import unquote

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response

from services.web.api import visitors
from services.web.api.cookies import KNOWN, settings_of
from services.web.api.dependencies import Asker, CartId, Found, Post, Shop
from services.web.api.filters import FILTERS
from services.web.clients.commerce import Commerce
from services.web.clients.notifications import Notifications
from services.web.domain.sessions import Viewer
from suuupra import errors, ui

T = TypeVar("T")
PAGES: Final = Path(__file__).parent.parent / "pages"
PUBLIC: Final = "public, max-age=60, stale-while-revalidate=300"  # seconds; for whoever has no cookie yet
PRIVATE: Final = "private, no-cache"
NO_STORE: Final = "private, no-store"
"""Of pages about money and people: the back button asks again, so it never shows a till that is closed."""
HEAD_SECONDS: Final = 0.7
"""What the counts in a page's head may take; a page without them is better than a late one."""

templates = ui.templates(PAGES)
templates.env.filters |= FILTERS


@dataclass(frozen=True)
class Head:
    """What the head of a page shows. Counts are None when they cannot be told."""

    viewer: Viewer | None
    account_away: bool
    cart: int | None
    unread: int | None
    here: str
    """The page's own address: where a sign-in from here leads back to."""


class PageHead:
    """The head of the page that is being made; its counts are asked for while the page itself is."""

    def __init__(self, request: Request, found: Found, counts: Counts) -> None:
        self._request = request
        self._found = found
        self._counts = counts
        self._asked: asyncio.Future[tuple[int | None, int | None]] | None = None

    def ask(self) -> asyncio.Future[tuple[int | None, int | None]]:
        """Begin to count, if nobody has."""
        if self._asked is None:
            self._asked = asyncio.ensure_future(self._counts.both())
        return self._asked

    async def get(self) -> Head:
        """The head, once its counts are there or overdue."""
        url = self._request.url
        here = f"{url.path}?{url.query}" if url.query else url.path
        cart, unread = await self.ask()
        return Head(self._found.viewer, self._found.away is not None, cart, unread, here)

    def drop(self) -> None:
        """Nobody needs it any more."""
        if self._asked is not None:
            self._asked.cancel()


@dataclass(frozen=True)
class Counts:
    """Whose things are counted."""

    shop: Commerce
    post: Notifications
    cart: str | None
    bearer: str | None

    async def both(self) -> tuple[int | None, int | None]:
        """What is in the cart, and what is unread."""
        return await asyncio.gather(self._in_cart(), self._unread())

    async def _in_cart(self) -> int | None:
        return await _soon(self.shop.count(self.cart, self.bearer)) if self.cart else None

    async def _unread(self) -> int | None:
        return await _soon(self.post.unread(self.bearer)) if self.bearer else None


async def _soon(count: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            return await count
    except (errors.Problem, TimeoutError):
        return None


async def _page_head(
    request: Request, found: Asker, shop: Shop, post: Post, cart: CartId
) -> AsyncIterator[PageHead]:
    bearer = found.viewer.bearer if found.viewer else None
    head = PageHead(request, found, Counts(shop, post, cart, bearer))
    if request.method == "GET":  # a form is mostly answered with the way to another page
        head.ask()
    try:
        yield head
    finally:
        head.drop()


HeadOfPage = Annotated[PageHead, Depends(_page_head)]


async def page(
    request: Request,
    template: str,
    head: PageHead,
    *,
    status: int = 200,
    url: str | None = None,
    cache: str | None = NO_STORE,
    **shown: object,
) -> Response:
    """A page. `url` is its one address, which others may link to. `cache` None: anybody may keep it who has no cookie."""
    settings = settings_of(request)
    own = {"section": "", "phone_page": settings.has_phone, "zone": settings.zone}
    context = {"head": await head.get(), **own, **shown}
    if url is not None:
        context |= {"origin": settings.public_url, "path": url}
    response = templates.TemplateResponse(request, template, context, status_code=status)
    response.headers["Cache-Control"] = cache or (PRIVATE if _knows(request) else PUBLIC)
    response.headers["Vary"] = "Cookie"
    return response


def _knows(request: Request) -> bool:
    """Whether the page may hold something of one person."""
    return any(name in request.cookies for name in (visitors.COOKIE, *KNOWN))


def moved(request: Request, url: str) -> Response | None:
    """To the address with slugs when it was asked for by id, so that a page has one address."""
    same = request.scope["path"] == unquote(url)
    return None if same else RedirectResponse(url, 308, headers={"Cache-Control": PRIVATE})


def onward(url: str) -> Response:
    """After a form: to the page that shows what came of it."""
    return RedirectResponse(url, 303, headers={"Cache-Control": NO_STORE})
