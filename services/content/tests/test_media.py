"""Files: taken by what they are, shown when a lesson shows them."""

import time

import httpx
import pytest

from services.content.tests import pictures
from services.content.tests.author import COURSES, Author
from services.content.usecases.sweeping import sweep
from suuupra.clock import FakeClock, SystemClock
from suuupra.db import Database
from suuupra.objects import ANSWER_SECONDS, ObjectStore
from suuupra.testing.objects import ObjectsServer

pytestmark = pytest.mark.integration


async def show(author: Author, course_id: str, html: str) -> None:
    module = await author.module(course_id)
    await author.lesson(module["id"], "a", html)
    await author.publish(course_id)


async def test_a_picture_is_public_once_a_published_lesson_shows_it(
    reader: httpx.AsyncClient, author: Author
) -> None:
    course = await author.course()
    uploaded = await author.upload(course["id"], "../dia gram.png", pictures.png(20, 10))
    assert uploaded.status_code == 201
    media = uploaded.json()
    assert (media["name"], media["content_type"], media["width"], media["height"]) == (
        "dia-gram.png",
        "image/png",
        20,
        10,
    )
    assert (await reader.get(media["url"])).status_code == 404
    own = await author.get(media["url"])
    assert (own.status_code, own.headers["Cache-Control"]) == (200, "private, no-cache")
    await show(author, course["id"], f'<img src="{media["url"]}" alt="A diagram">')
    shown = await reader.get(media["url"])
    assert (shown.status_code, shown.content) == (200, pictures.png(20, 10))
    assert shown.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    again = await reader.get(media["url"], headers={"If-None-Match": shown.headers["ETag"]})
    assert again.status_code == 304
    await author.act(f"{COURSES}/{course['id']}/unpublish")
    assert (await reader.get(media["url"])).status_code == 404


async def test_a_picture_of_another_course_is_not_opened_by_showing_it(
    reader: httpx.AsyncClient, author: Author
) -> None:
    secret, course = await author.course("Secret"), await author.course("Other")
    media = (await author.upload(secret["id"], "a.png", pictures.png())).json()
    await show(author, course["id"], f'<img src="{media["url"]}">')
    assert (await reader.get(media["url"])).status_code == 404


async def test_the_same_bytes_are_stored_once(author: Author) -> None:
    course = await author.course()
    first = await author.upload(course["id"], "a.png", pictures.png())
    second = await author.upload(course["id"], "b.png", pictures.png())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert len((await author.get(f"{COURSES}/{course['id']}/media")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("data", "status", "rule"),
    [
        (b"<html><script>alert(1)</script></html>", 415, "must be a PNG"),
        (pictures.png(60_000, 60_000), 415, "pixels"),
        (pictures.svg("<!ENTITY a 'b'>"), 415, "entities"),
        (b"", 422, "must not be empty"),
        (pictures.mp4() + bytes(1024 * 1024), 413, "at most"),
    ],
)
async def test_unwanted_files_are_refused_and_not_kept(
    author: Author, bucket: ObjectStore, data: bytes, status: int, rule: str
) -> None:
    course = await author.course()
    answer = await author.upload(course["id"], "a.png", data)
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "body"
    assert rule in error["rule"]
    assert error["fix"]
    assert (await author.get(f"{COURSES}/{course['id']}/media")).json()["items"] == []
    assert [stored.key async for stored in bucket.list()] == []


async def test_a_file_whose_store_is_away_is_503_and_not_an_empty_success(
    author: Author, objects: ObjectsServer
) -> None:
    course = await author.course()
    media = (await author.upload(course["id"], "a.png", pictures.png())).json()
    objects.container.pause()
    began = time.monotonic()
    try:
        answer = await author.get(media["url"])
    finally:
        objects.container.resume()
    assert time.monotonic() - began < ANSWER_SECONDS + 2
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await author.get(media["url"])).content == pictures.png()


async def test_an_svg_cannot_run_anything(author: Author) -> None:
    course = await author.course()
    media = (await author.upload(course["id"], "a.svg", pictures.svg("<script>alert(1)</script>"))).json()
    shown = await author.get(media["url"])
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Content-Type"] == "image/svg+xml"


@pytest.mark.parametrize(
    ("asked", "status", "part", "content_range"),
    [
        ("bytes=0-3", 206, slice(0, 4), "bytes 0-3/{}"),
        ("bytes=4-", 206, slice(4, None), "bytes 4-{last}/{}"),
        ("bytes=-5", 206, slice(-5, None), "bytes {five}-{last}/{}"),
        ("bytes=0-1,4-5", 200, slice(None), None),
        ("lines=1-2", 200, slice(None), None),
        ("bytes=" + ",".join(["0-1"] * 100), 200, slice(None), None),
        ("bytes=99999999-", 416, None, "bytes */{}"),
    ],
)
async def test_players_get_the_part_they_ask_for(
    author: Author, asked: str, status: int, part: slice | None, content_range: str | None
) -> None:
    course, film = await author.course(), pictures.mp4()
    media = (await author.upload(course["id"], "film.mp4", film)).json()
    answer = await author.client.get(media["url"], headers={**author.headers, "Range": asked})
    size = len(film)
    assert answer.status_code == status
    if part is not None:
        assert answer.content == film[part]
    expected = content_range.format(size, last=size - 1, five=size - 5) if content_range else None
    assert answer.headers.get("Content-Range") == expected


async def test_a_part_is_sent_only_to_whoever_holds_the_rest_of_this_file(author: Author) -> None:
    course, film = await author.course(), pictures.mp4()
    media = (await author.upload(course["id"], "film.mp4", film)).json()
    tag = (await author.get(media["url"])).headers["ETag"]

    async def asked(held: str) -> tuple[int, bytes]:
        headers = {**author.headers, "Range": "bytes=0-3", "If-Range": held}
        answer = await author.client.get(media["url"], headers=headers)
        return answer.status_code, answer.content

    assert await asked(tag) == (206, film[:4])
    for other in (f"W/{tag}", '"another"', "Tue, 24 Nov 2026 00:00:00 GMT"):
        assert await asked(other) == (200, film)


async def test_lessons_are_about_films_and_files_of_their_course(
    reader: httpx.AsyncClient, author: Author
) -> None:
    course, other = await author.course(), await author.course("Other")
    module = await author.module(course["id"])
    film = (await author.upload(course["id"], "film.mp4", pictures.mp4())).json()
    paper = (await author.upload(course["id"], "paper.pdf", pictures.pdf())).json()
    foreign = (await author.upload(other["id"], "paper.pdf", pictures.pdf() + b"x")).json()
    path = f"/v1/authoring/modules/{module['id']}/lessons"
    for title, body, status in (
        ("Film", {"kind": "video", "media_id": film["id"], "seconds": 90, "html": "<p>Watch</p>"}, 201),
        ("Paper", {"kind": "file", "media_id": paper["id"]}, 201),
        ("Not a film", {"kind": "video", "media_id": paper["id"], "seconds": 90}, 422),
        ("Not ours", {"kind": "file", "media_id": foreign["id"]}, 422),
        ("Nothing", {"kind": "podcast"}, 422),
    ):
        assert (await author.post(path, {"title": title, "body": body})).status_code == status, title
    await author.publish(course["id"])
    page = (await reader.get(f"/v1/courses/{course['slug']}/lessons/film")).json()
    assert (page["kind"], page["media"]["url"], page["minutes"]) == ("video", film["url"], 2)
    assert (await reader.get(film["url"])).content == pictures.mp4()
    used = await author.delete(f"/v1/authoring/media/{film['id']}")
    assert (used.status_code, used.json()["type"]) == (409, "urn:suuupra:problem:media-in-use")


async def test_a_sweep_frees_what_nobody_refers_to(
    author: Author, database: Database, bucket: ObjectStore, clock: FakeClock
) -> None:
    course, doomed = await author.course(), await author.course("Doomed")
    kept = (await author.upload(course["id"], "a.png", pictures.png())).json()
    await author.upload(doomed["id"], "b.png", pictures.png(7, 7))
    await author.delete(f"{COURSES}/{doomed['id']}")
    later = FakeClock(SystemClock().now())
    assert (await sweep(database, bucket, later)).objects == 0
    later.advance(2 * 86_400)
    assert (await sweep(database, bucket, later)).objects == 1
    assert [stored.key async for stored in bucket.list()] == [f"{course['id']}/{kept['id']}"]
