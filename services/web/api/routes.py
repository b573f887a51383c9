"""The pages' addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from services.web import domain, usecases
from services.web.api import visitors
from services.web.api.filters import FILTERS
from services.web.clients import Content
from services.web.settings import Settings
from suuupra import ui
from suuupra.app import resource
from suuupra.edge import HEAD

PAGES = Path(__file__).parent.parent / "pages"
PUBLIC = "public, max-age=60, stale-while-revalidate=300"  # seconds; for whoever has no cookie yet
PRIVATE = "private, no-cache"
ROBOTS_CACHE = "public, max-age=86400"

templates = ui.templates(PAGES)
templates.env.filters |= FILTERS
router = APIRouter(include_in_schema=False)

Courses = Annotated[Content, Depends(resource(Content))]
Visitor = Annotated[UUID | None, Depends(visitors.visitor_of)]
Slug = Annotated[str, PathParameter(min_length=1, max_length=200)]


@router.get("/")
async def catalogue(
    request: Request,
    content: Courses,
    visitor: Visitor,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """All courses, or those a search finds."""
    view = await usecases.catalogue(content, visitor, " ".join(q.split()), cursor)
    return _page(request, "catalogue.html", view, "/", visitor)


@router.get("/courses")
async def courses() -> Response:
    """The catalogue's other name."""
    return RedirectResponse("/", 308)


@router.get("/courses/{course}")
async def course_page(request: Request, content: Courses, visitor: Visitor, course: Slug) -> Response:
    """What a course is about, its contents, and where to go on."""
    view = await usecases.course_page(content, visitor, course)
    url = domain.course_url(view.course.slug)
    return _moved(request, url) or _page(request, "course.html", view, url, visitor)


@router.get("/courses/{course}/lessons/{lesson}")
async def lesson_page(
    request: Request, content: Courses, visitor: Visitor, course: Slug, lesson: Slug
) -> Response:
    """A lesson to read. Opening it is noted, and gives a new visitor a cookie."""
    reader = visitor or visitors.new_visitor()
    view = await usecases.open_lesson(content, reader, course, lesson, opened=_is_opened(request))
    response = _moved(request, view.url) or _page(request, "lesson.html", view, view.url, reader)
    visitors.remember(response, reader, secure=_settings(request).secure)
    return response


@router.post(
    "/courses/{course}/lessons/{lesson}/complete",
    dependencies=[Depends(ui.require_same_origin)],
    max_body_size=1024,
)
async def complete(
    request: Request, content: Courses, visitor: Visitor, course: Slug, lesson: Slug
) -> Response:
    """The form at the end of a lesson: completed, and on to the next."""
    reader = visitor or visitors.new_visitor()
    response = RedirectResponse(await usecases.complete_lesson(content, reader, course, lesson), 303)
    visitors.remember(response, reader, secure=_settings(request).secure)
    return response


@router.get("/robots.txt")
async def robots() -> Response:
    """Everything may be read; searches and forms are nothing for robots."""
    text = "User-agent: *\nDisallow: /*?q=\nDisallow: /*/complete\n"
    return PlainTextResponse(text, headers={"Cache-Control": ROBOTS_CACHE})


@router.get("/favicon.ico")
async def favicon() -> Response:
    """For what asks without reading the page first."""
    return RedirectResponse(ui.assets_of().url("favicon.svg"), 307, headers={"Cache-Control": ROBOTS_CACHE})


def _page(request: Request, template: str, view: object, url: str, visitor: UUID | None) -> Response:
    shown = {"view": view, "origin": _settings(request).public_url, "path": url}
    response = templates.TemplateResponse(request, template, shown)
    response.headers["Cache-Control"] = PRIVATE if visitor else PUBLIC
    response.headers["Vary"] = "Cookie"
    return response


def _moved(request: Request, url: str) -> Response | None:
    """To the address with slugs when it was asked for by id, so that a page has one address."""
    same = request.scope["path"] == unquote(url)
    return None if same else RedirectResponse(url, 308, headers={"Cache-Control": PRIVATE})


def _is_opened(request: Request) -> bool:
    """Not when a browser only looks ahead, nor when only the headers are asked for."""
    ahead = "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", ""))
    return not (ahead or request.scope.get(HEAD))


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings
