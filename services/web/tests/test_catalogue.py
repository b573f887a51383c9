"""The catalogue: what is there, searching, paging, going on, and having nothing."""

from __future__ import annotations

import httpx

from services.web.tests.content_double import ContentDouble, CourseDouble
from services.web.tests.markup import one, tree
from services.web.usecases.reading import COURSES_PER_PAGE


def titles(response: httpx.Response) -> list[str]:
    return [node.text() for node in tree(response).css(".course-card h3")]


async def test_catalogue_shows_every_course_with_its_own_art(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/")
    page = tree(response)
    assert titles(response) == ["The Python Tutorial", "SQL"]
    assert [node.attributes["href"] for node in page.css(".course-card a")] == [
        "/courses/python",
        "/courses/sql",
    ]
    drawings = [node.html for node in page.css(".course-card .art")]
    assert drawings[0] != drawings[1]


async def test_search_shows_what_matches_and_keeps_the_words(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/", params={"q": "  python "})
    assert titles(response) == ["The Python Tutorial"]
    assert 'value="python"' in response.text


async def test_search_words_are_text_and_never_markup(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in response.text
    assert "No course has" in response.text


async def test_a_long_catalogue_is_paged(browser: httpx.AsyncClient, content: ContentDouble) -> None:
    content.courses += [
        CourseDouble(f"c{i}", f"Course {i}", {"All": ["one"]}) for i in range(COURSES_PER_PAGE)
    ]
    first = await browser.get("/", params={"q": "course"})
    assert len(titles(first)) == COURSES_PER_PAGE
    content.courses.append(CourseDouble("last", "Course at last", {"All": ["one"]}))
    more = one(tree(await browser.get("/", params={"q": "course"})), ".pager a[rel=next]")
    assert titles(await browser.get(str(more.attributes["href"]))) == ["Course at last"]


async def test_an_empty_catalogue_says_how_to_import_a_course(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    content.courses.clear()
    response = await browser.get("/")
    assert response.status_code == 200
    assert "python -m suuupra content import" in response.text


async def test_whoever_only_looks_around_gets_no_cookie_and_a_page_that_caches_may_share(
    browser: httpx.AsyncClient,
) -> None:
    for path in ("/", "/courses/python"):
        response = await browser.get(path)
        assert "set-cookie" not in response.headers
        assert response.headers["cache-control"].startswith("public")
        assert "Cookie" in response.headers["vary"]


async def test_a_visitor_finds_the_courses_begun_and_where_they_go_on(browser: httpx.AsyncClient) -> None:
    await browser.get("/courses/python/lessons/appetite")
    await browser.post("/courses/python/lessons/appetite/complete", headers={"Sec-Fetch-Site": "same-origin"})
    response = await browser.get("/")
    card = one(tree(response), ".shelf-card")
    assert one(card, "a").attributes["href"] == "/courses/python/lessons/interpreter"
    assert "25 percent completed" in (card.html or "")
    assert response.headers["cache-control"].startswith("private")


async def test_the_catalogue_is_there_while_progress_is_away(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    await browser.get("/courses/python/lessons/appetite")
    content.failing["/internal"] = 503
    assert titles(await browser.get("/")) == ["The Python Tutorial", "SQL"]


async def test_a_course_withdrawn_between_two_answers_is_left_out_and_the_catalogue_is_there(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    await browser.get("/courses/python/lessons/appetite")
    await browser.get("/courses/sql/lessons/tables")
    content.failing["/v1/courses/python/contents"] = 404
    response = await browser.get("/")
    assert response.status_code == 200
    assert [node.attributes["href"] for node in tree(response).css(".shelf-card a")] == [
        "/courses/sql/lessons/tables"
    ]


async def test_headers_alone_can_be_asked_for(browser: httpx.AsyncClient) -> None:
    response = await browser.head("/")
    assert response.status_code == 200
    assert response.content == b""
