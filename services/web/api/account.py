"""What is a person's: their account and their courses."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.web.api import visitors
from services.web.api.dependencies import Courses, Provider, Shop, SignedIn, Visitor
from services.web.api.pages import HeadOfPage, page
from services.web.usecases import arriving, studying

router = APIRouter(include_in_schema=False)


@router.get("/account")
async def show(request: Request, head: HeadOfPage, viewer: SignedIn, provider: Provider) -> Response:
    """Who is signed in, and where everything of theirs is."""
    out = provider.sign_out_form()
    return await page(request, "account.html", head, section="account", viewer=viewer, sign_out=out)


@router.get("/learning")
async def learning(
    request: Request, content: Courses, shop: Shop, head: HeadOfPage, viewer: SignedIn, visitor: Visitor
) -> Response:
    """A person's courses, with how far they are."""
    merged = visitor is not None and await arriving.merge(content, viewer, visitor)
    view = await studying.learning(content, shop, viewer.bearer)
    response = await page(request, "learning.html", head, section="learning", view=view)
    if merged:
        visitors.forget(request, response)
    return response
