"""What a person wants to hear, where, and in which language."""

from __future__ import annotations

from typing import Annotated, Final, get_args

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from services.notifications.contract import Category, Channel, ChoiceMade, Preferences, PreferencesChange
from services.web.api.cart import FORM_BYTES
from services.web.api.dependencies import Post, SignedIn
from services.web.api.pages import HeadOfPage, onward, page
from services.web.clients.calling import Refused
from services.web.domain.preferences import LANGUAGES, Language, changed, groups
from suuupra import ui

PAGE: Final = "/inbox/preferences"
CHANGED_MEANWHILE: Final = 412
SAME_ORIGIN: Final = [Depends(ui.require_same_origin)]
MOST_CHOICES: Final = len(get_args(Category)) * len(get_args(Channel))

router = APIRouter(include_in_schema=False)


@router.get(PAGE)
async def show(
    request: Request, post: Post, head: HeadOfPage, viewer: SignedIn, saved: bool = False
) -> Response:
    """What there is to choose, as it is now."""
    preferences, etag = await post.preferences(viewer.bearer)
    return await _page(request, head, preferences, etag, saved=saved)


@router.post(PAGE, dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def save(
    request: Request,
    post: Post,
    head: HeadOfPage,
    viewer: SignedIn,
    etag: Annotated[str, Form(max_length=100, pattern=r'^"[\x21\x23-\x7e]+"$')],
    language: Annotated[Language, Form()],
    wanted: Annotated[list[str] | None, Form(max_length=MOST_CHOICES)] = None,
) -> Response:
    """Keep what the form says, unless it was changed elsewhere since the form was shown."""
    now, _ = await post.preferences(viewer.bearer)
    choices = [ChoiceMade(category=it[0], channel=it[1], wanted=it[2]) for it in changed(now, wanted or ())]
    try:
        await post.prefer(PreferencesChange(locale=language, choices=choices), etag, viewer.bearer)
    except Refused as refused:
        if refused.answer.status != CHANGED_MEANWHILE:
            raise
        latest, etag = await post.preferences(viewer.bearer)
        return await _page(request, head, latest, etag, stale=True)
    return onward(f"{PAGE}?saved=true")


async def _page(
    request: Request,
    head: HeadOfPage,
    preferences: Preferences,
    etag: str,
    *,
    saved: bool = False,
    stale: bool = False,
) -> Response:
    return await page(
        request,
        "preferences.html",
        head,
        status=409 if stale else 200,
        section="inbox",
        groups=groups(preferences),
        language=preferences.locale or "account",
        languages=LANGUAGES,
        etag=etag,
        saved=saved,
        stale=stale,
    )
