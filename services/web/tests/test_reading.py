"""Reading: course page, lesson page, the visitor's cookie, completing, and coming back."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from services.web.api.visitors import COOKIE
from services.web.settings import Settings
from services.web.tests.content_double import ContentDouble, an_id
from services.web.tests.markup import one, tree

LESSON = "/courses/python/lessons/appetite"
OURS = {"Sec-Fetch-Site": "same-origin"}


def marks(response: httpx.Response) -> list[str]:
    """What each lesson of the contents is marked with, for assistive technology."""
    nodes = tree(response).css(".lessons .mark")
    return [node.text().strip().rstrip(":") for node in nodes]


async def test_a_course_page_shows_what_is_learned_and_every_lesson(browser: httpx.AsyncClient) -> None:
    page = tree(await browser.get("/courses/python"))
    assert one(page, ".outcomes li").text().strip() == "Write a program"
    assert [node.text() for node in page.css(".module h3")] == ["First steps", "The language"]
    assert len(page.css(".lessons a")) == 4
    assert one(page, ".course-start a.button").attributes["href"] == LESSON


async def test_a_page_has_one_address_though_ids_are_understood(browser: httpx.AsyncClient) -> None:
    by_id = await browser.get(f"/courses/{an_id('python')}/lessons/{an_id('python', 'appetite')}")
    assert (by_id.status_code, by_id.headers["location"]) == (308, LESSON)
    page = tree(await browser.get(LESSON))
    assert one(page, "link[rel=canonical]").attributes["href"] == f"http://localhost:8080{LESSON}"


async def test_a_lesson_shows_its_html_headings_and_neighbours(browser: httpx.AsyncClient) -> None:
    page = tree(await browser.get("/courses/python/lessons/interpreter"))
    assert one(page, ".prose h2").text() == "First steps"
    anchors = [node.attributes["href"] for node in page.css(".reader-toc a")]
    assert anchors == ["#s-first", "#s-second"]
    assert one(page, ".neighbours a[rel=prev]").attributes["href"] == LESSON
    assert one(page, ".neighbours a[rel=next]").attributes["href"] == "/courses/python/lessons/control-flow"
    assert one(page, ".lessons a[aria-current=page]").text().strip().endswith("Interpreter")


async def test_opening_a_lesson_gives_an_unguessable_cookie_that_scripts_cannot_read(
    browser: httpx.AsyncClient,
) -> None:
    cookie = (await browser.get(LESSON)).headers["set-cookie"]
    visitor = UUID(browser.cookies[COOKIE])
    assert visitor.version == 4
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=34560000"):
        assert attribute in cookie
    assert "Secure" not in cookie


async def test_the_cookie_insists_on_tls_where_people_come_by_tls(settings: Settings) -> None:
    assert settings.model_copy(update={"public_url": "https://learn.example"}).secure


async def test_opening_a_lesson_marks_it_started(browser: httpx.AsyncClient) -> None:
    assert marks(await browser.get(LESSON))[:2] == ["Started", ""]


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}])
async def test_a_page_only_fetched_ahead_starts_nothing(
    browser: httpx.AsyncClient, content: ContentDouble, headers: dict[str, str]
) -> None:
    await browser.get(LESSON, headers=headers)
    await browser.head(LESSON)
    assert content.asked("PUT") == []


async def test_whoever_comes_by_an_id_is_one_visitor_before_and_after_the_redirect(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    by_id = f"/courses/python/lessons/{an_id('python', 'appetite')}"
    response = await browser.get(by_id, follow_redirects=True)
    assert response.url.path == LESSON
    assert list(content.progress) == [UUID(browser.cookies[COOKIE])]


async def test_completing_leads_to_the_next_lesson_and_is_there_on_return(browser: httpx.AsyncClient) -> None:
    await browser.get(LESSON)
    done = await browser.post(f"{LESSON}/complete", headers=OURS)
    assert (done.status_code, done.headers["location"]) == (303, "/courses/python/lessons/interpreter")
    course = await browser.get("/courses/python")
    assert marks(course) == ["Completed", "", "", ""]
    assert "1 of 4 lessons" in course.text
    assert "You completed this lesson" in (await browser.get(LESSON)).text


async def test_completing_the_last_lesson_leads_to_the_course(browser: httpx.AsyncClient) -> None:
    done = await browser.post("/courses/sql/lessons/tables/complete", headers=OURS)
    assert done.headers["location"] == "/courses/sql"
    assert "Course completed" in (await browser.get("/courses/sql")).text


async def test_completing_twice_is_completing_once(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    for _ in range(2):
        await browser.post(f"{LESSON}/complete", headers=OURS)
    visitor = UUID(browser.cookies[COOKIE])
    assert [entry.state for entry in content.progress[visitor]] == ["completed"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost:8080"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_form_of_another_site_changes_nothing(
    browser: httpx.AsyncClient, content: ContentDouble, headers: dict[str, str]
) -> None:
    response = await browser.post(f"{LESSON}/complete", headers=headers)
    assert response.status_code == 403
    assert content.requests == []
    assert "set-cookie" not in response.headers


async def test_a_form_without_fetch_metadata_counts_by_its_origin(browser: httpx.AsyncClient) -> None:
    response = await browser.post(f"{LESSON}/complete", headers={"Origin": "http://localhost:8080"})
    assert response.status_code == 303


@pytest.mark.parametrize(
    "value", ["", "abc", "../../admin", "0198c5a4-7d3e-7c1a-9c55-0242ac120002", "x" * 4000]
)
async def test_a_cookie_that_is_not_ours_is_replaced(
    browser: httpx.AsyncClient, content: ContentDouble, value: str
) -> None:
    response = await browser.get(LESSON, headers={"Cookie": f"{COOKIE}={value}"})
    assert response.status_code == 200
    assert COOKIE in response.headers["set-cookie"]
    assert not any(value in path.split("/") for path in content.asked("PUT") if value)


async def test_two_visitors_do_not_see_each_others_progress(browser: httpx.AsyncClient) -> None:
    await browser.post(f"{LESSON}/complete", headers=OURS)
    browser.cookies.clear()
    assert marks(await browser.get("/courses/python")) == [""] * 4


async def test_a_lesson_is_read_while_progress_is_away(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    content.failing["/internal"] = httpx.ConnectError("refused")
    response = await browser.get(LESSON)
    assert response.status_code == 200
    assert "Your progress cannot be shown right now" in response.text
    assert "First steps" in response.text
