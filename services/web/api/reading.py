"""Reading: the catalogue, a course, its lessons."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from services.web.api import visitors
from services.web.api.cookies import settings_of
from services.web.api.dependencies import Asker, Courses, Learner, Shop, Slug, Visitor
from services.web.api.pages import PRIVATE, HeadOfPage, moved, onward, page
from services.web.clients.content import Reader
from services.web.domain import reading as domain
from services.web.usecases import arriving
from services.web.usecases import reading as usecases
from suuupra import ui
from suuupra.app import Now
from suuupra.edge import HEAD

ROBOTS_CACHE = "public, max-age=86400"
FOR_ONE_PERSON = ("/session", "/account", "/cart", "/checkout", "/orders", "/learning", "/inbox", "/support")

router = APIRouter(include_in_schema=False)


@router.get("/")
async def catalogue(
    request: Request,
    content: Courses,
    shop: Shop,
    head: HeadOfPage,
    reader: Learner,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """All courses, or those a search finds."""
    view = await usecases.catalogue(content, shop, reader, " ".join(q.split()), cursor)
    section = "" if view.query else "courses"
    return await page(request, "catalogue.html", head, url="/", cache=None, view=view, section=section)


@router.get("/courses")
async def courses() -> Response:
    """The catalogue's other name."""
    return RedirectResponse("/", 308)


@router.get("/courses/{course}")
async def course_page(
    request: Request, content: Courses, shop: Shop, head: HeadOfPage, reader: Learner, course: Slug
) -> Response:
    """What a course is about, its contents, how to get it, and where to go on."""
    view = await usecases.course_page(content, shop, reader, course)
    url = domain.course_url(view.course.slug)
    return moved(request, url) or await page(request, "course.html", head, url=url, cache=None, view=view)


@router.get("/courses/{course}/lessons/{lesson}")
async def lesson_page(
    request: Request,
    content: Courses,
    shop: Shop,
    clock: Now,
    head: HeadOfPage,
    asker: Asker,
    visitor: Visitor,
    course: Slug,
    lesson: Slug,
) -> Response:
    """A lesson to read. Opening it is noted, and gives a new visitor a cookie. A locked one is offered instead."""
    viewer = asker.viewer
    merged = viewer is not None and visitor is not None and await arriving.merge(content, viewer, visitor)
    reader = Reader(viewer.bearer if viewer else None, visitor or visitors.new_visitor())
    view = await usecases.open_lesson(
        content, shop, clock, reader, course, lesson, opened=_is_opened(request)
    )
    if isinstance(view, usecases.LockedView):
        if asker.away:
            raise asker.away  # it may well be theirs
        return moved(request, view.url) or await page(request, "locked.html", head, status=403, view=view)
    response = moved(request, view.url) or await page(
        request, "lesson.html", head, url=view.url, cache=PRIVATE, view=view
    )
    if merged:
        visitors.forget(request, response)
    elif viewer is None:
        _remember(request, response, reader)
    return response


@router.post(
    "/courses/{course}/lessons/{lesson}/complete",
    dependencies=[Depends(ui.require_same_origin)],
    max_body_size=1024,
)
async def complete(
    request: Request, content: Courses, known: Learner, course: Slug, lesson: Slug
) -> Response:
    """The form at the end of a lesson: completed, and on to the next."""
    reader = known if known.known else Reader(visitor=visitors.new_visitor())
    response = onward(await usecases.complete_lesson(content, reader, course, lesson))
    if reader.bearer is None:
        _remember(request, response, reader)
    return response


@router.get("/robots.txt")
async def robots() -> Response:
    """Everything may be read; searches, forms and what is one person's are nothing for robots."""
    own = "".join(f"Disallow: {path}\n" for path in FOR_ONE_PERSON)
    text = f"User-agent: *\nDisallow: /*?q=\nDisallow: /*/complete\n{own}"
    return PlainTextResponse(text, headers={"Cache-Control": ROBOTS_CACHE})


@router.get("/favicon.ico")
async def favicon() -> Response:
    """For what asks without reading the page first."""
    return RedirectResponse(ui.assets_of().url("favicon.svg"), 307, headers={"Cache-Control": ROBOTS_CACHE})


def _remember(request: Request, response: Response, reader: Reader) -> None:
    if reader.visitor is not None:
        visitors.remember(response, reader.visitor, secure=settings_of(request).secure)


def _is_opened(request: Request) -> bool:
    """Not when a browser only looks ahead, nor when only the headers are asked for."""
    ahead = "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", ""))
    return not (ahead or request.scope.get(HEAD))
