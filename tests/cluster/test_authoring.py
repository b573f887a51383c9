"""A creator's way to a course through the gateway, with identity's token; and who manages what came with the platform."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from .books import identity, staff
from .kube import Kube

pytestmark = pytest.mark.cluster

README = Path(__file__).resolve().parents[2] / "README.md"
SUGGESTED = re.compile(r"^TOKEN=.*\ncurl .*$", re.MULTILINE)
"""What README suggests to whoever writes a program."""
COURSES = "/v1/authoring/courses"
TUTORIAL = "The Python Tutorial"
OPERATOR = "omkar@suuupra.example"


def once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def matching(tag: str) -> dict[str, str]:
    return {"If-Match": tag}


@pytest.fixture(scope="module")
def suggested(kube: Kube, platform_url: str) -> tuple[str, str]:
    """The token of Ira's that README's words give, and what the gateway answers to it, as they stand there."""
    (words,) = SUGGESTED.findall(README.read_text())
    assert "http://localhost:8080" in words
    script = f'{words.replace("http://localhost:8080", platform_url)} -sS --fail-with-body && echo "\n$TOKEN"'
    path = f"{kube.kubectl.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(kube.kubeconfig)}
    ran = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answer, token = ran.stdout.strip().split("\n")
    return token, answer


@pytest.fixture
def ira(suggested: tuple[str, str], platform_url: str) -> Iterator[httpx.Client]:
    """A creator's program."""
    with staff(platform_url, suggested[0]) as api:
        yield api


def own(author: httpx.Client) -> list[dict[str, Any]]:
    """All courses that somebody may manage."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = author.get(COURSES, params=query).raise_for_status().json()
        found += page["items"]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]


def test_the_token_that_readme_suggests_is_taken_by_the_gateway(suggested: tuple[str, str]) -> None:
    token, answer = suggested
    assert token.count(".") == 2
    assert '"items":' in answer


def test_a_creator_begins_edits_and_publishes_a_course_and_a_stranger_reads_it(
    ira: httpx.Client, platform_url: str
) -> None:
    key, title = once(), f"Bread {uuid4().hex[:8]}"
    begun = ira.post(COURSES, json={"title": title}, headers=key)
    assert begun.status_code == 201, begun.text
    path, course = begun.headers["Location"], begun.json()
    try:
        assert ira.post(COURSES, json={"title": title}, headers=key).json() == course
        module = ira.post(f"{path}/modules", json={"title": "Dough"}, headers=once()).json()
        body = {"kind": "article", "html": "<p>Flour, water, salt.<script>x</script></p>"}
        written = ira.post(
            f"/v1/authoring/modules/{module['id']}/lessons",
            json={"title": "What it takes", "body": body},
            headers=once(),
        )
        assert written.status_code == 201, written.text
        tag = ira.get(path).headers["ETag"]
        about = {"title": title, "summary": "Of three things."}
        edited = ira.put(path, json=about, headers=matching(tag))
        assert (edited.status_code, edited.json()["summary"]) == (200, "Of three things.")
        stale = ira.put(path, json={"title": "Late"}, headers=matching(tag))
        assert (stale.status_code, stale.headers["ETag"]) == (412, edited.headers["ETag"])
        assert ira.put(path, json={"title": "Careless"}).status_code == 428
        assert ira.get(path).json() == edited.json()

        with httpx.Client(base_url=platform_url) as stranger:
            lesson = f"/v1/lessons/{written.json()['id']}"
            assert stranger.get(lesson).status_code == 404
            published = ira.post(f"{path}/publish", headers=matching(edited.headers["ETag"]))
            assert (published.status_code, published.json()["number"]) == (200, 1)
            page = stranger.get(lesson)
            assert (page.status_code, page.json()["html"]) == (200, "<p>Flour, water, salt.</p>")
            assert "Of three things." in stranger.get(f"/courses/{course['slug']}").text
            assert stranger.put(path, json={"title": "Mine"}, headers=matching("*")).status_code == 401
        assert course["id"] in [it["id"] for it in own(ira)]
    finally:
        gone = ira.delete(path, headers=matching("*"))
    assert gone.status_code == 204
    assert ira.get(path).status_code == 404


def test_what_came_with_the_platform_is_managed_by_operators_and_by_no_creator(
    kube: Kube, ira: httpx.Client, platform_url: str
) -> None:
    with staff(platform_url, identity(kube, "NO_COLOR=1", "token", OPERATOR)) as omkar:
        (book,) = [it for it in own(omkar) if it["title"] == TUTORIAL]
        assert book["owner"] == "the platform"
        path = f"{COURSES}/{book['id']}"
        draft = omkar.get(path)
        assert draft.status_code == 200
        assert omkar.get(f"{path}/statistics").json()["completions"] >= 0
        assert omkar.post(f"{path}/publish", headers=matching('"0"')).status_code == 412
        # Learners read exactly this already: it stays the same revision.
        again = omkar.post(f"{path}/publish", headers=matching(draft.headers["ETag"]))
        assert (again.status_code, again.json()["number"]) == (200, book["shown_revision"])
        assert omkar.get(path).headers["ETag"] == draft.headers["ETag"]
    assert ira.get(path).status_code == 404
    assert ira.post(f"{path}/unpublish", headers=matching("*")).status_code == 404
    assert TUTORIAL not in [it["title"] for it in own(ira)]
