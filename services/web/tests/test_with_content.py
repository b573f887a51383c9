"""Web on the real content service with its real servers: that both mean the same by their contract."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.web.app import create_app
from services.web.settings import Settings
from services.web.tests.conftest import BROWSER, ORIGIN
from services.web.tests.markup import one, tree
from services.web.tests.switchboard import Switchboard
from suuupra import discovery
from suuupra.objects import ObjectStore
from suuupra.testing.issuer import Issuer
from suuupra.testing.objects import ACCESS_KEY, SECRET_KEY, ObjectsServer

pytestmark = [pytest.mark.integration, pytest.mark.service("content")]

HTML = '<h2 id="start">Start</h2><p>See <a href="#start">above</a>.</p><script>alert(1)</script>'
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest_asyncio.fixture
async def content(
    database_url: str, objects: ObjectsServer, bucket: ObjectStore, issuer: Issuer
) -> AsyncIterator[FastAPI]:
    """Content's application, started. Kafka is not needed: events wait in the outbox."""
    found = discovery.find("content")
    given: dict[str, Any] = {
        "service": "content",
        "database_url": database_url,
        "kafka_bootstrap": "127.0.0.1:9",
        "objects_endpoint": objects.endpoint,
        "objects_access_key": ACCESS_KEY,
        "objects_secret_key": SECRET_KEY,
        "buckets": {"media": bucket.bucket},
        "issuer": issuer.issuer,
        "audience": issuer.audience,
        "jwks": json.dumps(issuer.jwks()),
    }
    app = found.create_app(found.settings()(**given))
    async with app.router.lifespan_context(app):
        yield app


@pytest_asyncio.fixture
async def course(content: FastAPI, issuer: Issuer) -> str:
    """A published course of one module and three lessons; its slug."""
    headers = {"Authorization": f"Bearer {issuer.mint('creator')}", "If-Match": "*"}
    transport = httpx.ASGITransport(content)
    async with httpx.AsyncClient(transport=transport, base_url="http://content", headers=headers) as creator:

        async def made(path: str, key: str, **body: Any) -> dict[str, Any]:
            answer = await creator.post(f"/v1/authoring/{path}", json=body, headers={"Idempotency-Key": key})
            assert answer.status_code == 201, answer.text
            view: dict[str, Any] = answer.json()
            return view

        physics = await made("courses", "course", title="भौतिकी", language="hi", outcomes=["Measure"])
        module = await made(f"courses/{physics['id']}/modules", "module", title="Motion")
        for title in ("Speed", "Force", "Energy"):
            article = {"kind": "article", "html": HTML}
            await made(f"modules/{module['id']}/lessons", title, title=title, body=article)
        assert (await creator.post(f"/v1/authoring/courses/{physics['id']}/publish")).is_success
    return str(physics["slug"])


@pytest_asyncio.fixture
async def reader(content: FastAPI, course: str, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on web, which asks that content."""
    app = create_app(settings, transport=Switchboard({"content": httpx.ASGITransport(content)}))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=BROWSER) as client,
    ):
        yield client


async def test_a_visitor_finds_a_course_reads_completes_and_comes_back(
    reader: httpx.AsyncClient, course: str
) -> None:
    found = one(tree(await reader.get("/", params={"q": course[:3]})), ".course-card a")
    page = tree(await reader.get(str(found.attributes["href"])))
    assert one(page, "h1").text() == "भौतिकी"
    assert one(page, "h1").attributes["lang"] == "hi"
    start = str(one(page, ".course-start a.button").attributes["href"])

    lesson = await reader.get(start)
    assert "alert(1)" not in lesson.text
    anchor = str(one(tree(lesson), ".prose a").attributes["href"])
    assert tree(lesson).css(f".prose [id='{anchor.removeprefix('#')}']")

    done = await reader.post(f"{start}/complete", headers=OURS)
    assert (done.status_code, done.headers["location"].endswith("/lessons/force")) == (303, True)
    assert "33 percent completed" in (await reader.get("/")).text
    assert "1 of 3 lessons" in (await reader.get(str(found.attributes["href"]))).text


async def test_opening_again_does_not_undo_what_was_completed(reader: httpx.AsyncClient, course: str) -> None:
    lesson = f"/courses/{course}/lessons/speed"
    await reader.post(f"{lesson}/complete", headers=OURS)
    assert "You completed this lesson" in (await reader.get(lesson)).text


@pytest.mark.parametrize("path", ["/courses/nothing", "/courses/{course}/lessons/nothing", "/?cursor=broken"])
async def test_what_content_refuses_is_told_and_never_a_fault(
    reader: httpx.AsyncClient, course: str, path: str
) -> None:
    assert (await reader.get(path.format(course=course))).status_code in (400, 404)
