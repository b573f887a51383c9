"""For support and finance: any order's whole story, over all services, on one page or as JSON."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from services.web.api.dependencies import Books, Courses, Post, RailDesk, Shop, SignedIn, Till
from services.web.api.pages import NO_STORE, HeadOfPage, onward, page
from services.web.domain.sessions import STAFF, Viewer
from services.web.domain.story import Story, drawing
from services.web.usecases import telling
from suuupra import errors

ORDERS_PER_PAGE: Final = 20

router = APIRouter(prefix="/support", include_in_schema=False)


async def _staff(viewer: SignedIn) -> Viewer:
    """Somebody of the staff; Forbidden for all others."""
    if viewer.person.is_staff:
        return viewer
    rule = f"must hold one of the roles {', '.join(sorted(STAFF))}"
    fix = "sign in as somebody of the staff; your own orders are under /orders"
    error = errors.FieldError("session.roles", rule, fix)
    raise errors.Forbidden(
        "This page is for support and finance. Your own orders, with what happened to them, are in your account.",
        errors=[error],
    )


Staff = Annotated[Viewer, Depends(_staff)]
Wanted = Annotated[str, Path(min_length=1, max_length=60)]


async def _sources(
    viewer: Staff, shop: Shop, till: Till, rail: RailDesk, books: Books, courses: Courses, post: Post
) -> telling.Sources:
    return telling.Sources(shop, till, rail, books, courses, post, viewer.bearer)


Asked = Annotated[telling.Sources, Depends(_sources)]


@router.get("")
async def find(
    request: Request,
    shop: Shop,
    head: HeadOfPage,
    viewer: Staff,
    q: Annotated[str, Query(max_length=60)] = "",
    cursor: Annotated[str | None, Query(max_length=1100)] = None,
) -> Response:
    """Look an order up, or choose one of the latest."""
    if q.strip():
        return onward(f"/support/orders/{telling.address(q.strip())}")
    orders = await shop.everyones(viewer.bearer, cursor, ORDERS_PER_PAGE)
    return await page(
        request, "support.html", head, section="account", orders=orders, paged=cursor is not None
    )


@router.get("/orders/{order}")
async def show(request: Request, head: HeadOfPage, asked: Asked, order: Wanted) -> Response:
    """The story as a picture with a list."""
    story = await telling.of(asked, order)
    return await page(
        request,
        "story.html",
        head,
        section="account",
        story=story,
        rows=[drawing.row(story.lanes, step.moment) for step in story.steps],
        places=drawing.places(story.lanes),
        wanted=order,
        zone=UTC,  # as in logs, beside which it is read
    )


@router.get("/orders/{order}/story.json")
async def as_json(asked: Asked, order: Wanted) -> Response:
    """The same story for programs. Durations are milliseconds."""
    return JSONResponse(written(await telling.of(asked, order)), headers={"Cache-Control": NO_STORE})


def written(story: Story) -> dict[str, Any]:
    """The story as JSON."""
    return {
        "order_id": str(story.order_id),
        "number": story.number,
        "complete": not story.missing,
        "missing": [{"service": it.service, "why": it.why, "fix": it.fix} for it in story.missing],
        "ids": {name: list(values) for name, values in story.ids.items()},
        "spans": [{"name": it.name, "milliseconds": _ms(it.lasted)} for it in story.spans],
        "steps": [
            {
                "number": step.number,
                "at": step.moment.at.isoformat(timespec="milliseconds"),
                "since_first_ms": _ms(step.since_first),
                "since_last_ms": _ms(step.since_last),
                "told_by": step.moment.by,
                "where": step.moment.lane,
                "came_from": step.moment.came_from,
                "what": step.moment.what,
                "text": step.moment.text,
                "lines": list(step.moment.lines),
                "tone": step.moment.tone,
                "ids": dict(step.moment.ids),
            }
            for step in story.steps
        ],
    }


def _ms(lasted: timedelta) -> int:
    return round(lasted / timedelta(milliseconds=1))
