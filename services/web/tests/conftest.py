"""The web app on a double of content's API; a browser's headers where a test is about browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.web.app import create_app
from services.web.settings import Settings
from services.web.tests.content_double import ContentDouble, CourseDouble

ORIGIN = "http://localhost:8080"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PYTHON = {"First steps": ["appetite", "interpreter"], "The language": ["control-flow", "classes"]}


@pytest.fixture
def content() -> ContentDouble:
    """Two published courses."""
    courses = [
        CourseDouble("python", "The Python Tutorial", PYTHON),
        CourseDouble("sql", "SQL", {"All": ["tables"]}),
    ]
    return ContentDouble(courses)


@pytest.fixture
def settings() -> Settings:
    """A developer's machine."""
    return Settings(service="web", url_content="http://content:8000")


@pytest_asyncio.fixture
async def browser(settings: Settings, content: ContentDouble) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps cookies and asks for pages as a browser does."""
    app = create_app(settings, transport=content.transport())
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=BROWSER) as client,
    ):
        yield client
