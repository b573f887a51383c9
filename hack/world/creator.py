"""A creator writes a course, publishes it and sells it, each over the API that a program of hers would use."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from world.people import Person
from world.platform import Platform, checked, eventually, once, read
from world.signing_in import token_of

COURSES = "/v1/authoring/courses"
MOST = 100
"""Courses of one creator that are looked through."""


@dataclass(frozen=True)
class Lesson:
    """A text with its title."""

    title: str
    html: str


@dataclass(frozen=True)
class Module:
    """Lessons in their order."""

    title: str
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True)
class Manuscript:
    """A course as it lies in a folder: `course.toml` with the files of lessons that it names.

    `about` is what content is told of the course, `offer` what commerce is told of what is sold, each in its own words.
    """

    about: Mapping[str, Any]
    modules: tuple[Module, ...]
    offer: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Manuscript:
        told = tomllib.loads((folder / "course.toml").read_text())
        modules = (
            Module(
                module["title"],
                tuple(Lesson(one["title"], (folder / one["file"]).read_text()) for one in module["lessons"]),
            )
            for module in told["modules"]
        )
        return cls(told["about"], tuple(modules), told["offer"])


UPI = Manuscript.of(Path(__file__).parent / "course")
"""What Ira has written."""


@dataclass(frozen=True)
class Unwritten:
    """What a module still lacks; `id` is None where the module itself is still to be added."""

    module: Module
    id: str | None
    lessons: tuple[Lesson, ...]


def unwritten(manuscript: Manuscript, modules: Sequence[Mapping[str, Any]]) -> tuple[Unwritten, ...]:
    """What a draft with these modules lacks, in the order in which it is to be added. Titles tell what is there."""
    there = {module["title"]: module for module in modules}
    left = []
    for module in manuscript.modules:
        draft = there.get(module.title, {"id": None, "lessons": []})
        titles = {lesson["title"] for lesson in draft["lessons"]}
        lessons = tuple(lesson for lesson in module.lessons if lesson.title not in titles)
        if lessons:
            left.append(Unwritten(module, draft["id"], lessons))
    return tuple(left)


@dataclass(frozen=True)
class Creator:
    """Somebody with a token that may write courses and sell them."""

    api: httpx.Client

    @classmethod
    def of(cls, platform: Platform, person: Person) -> Creator:
        return cls(platform.browser(token_of(platform, person, "content:write", "commerce:write")))

    def publish(self, manuscript: Manuscript) -> str:
        """The id of the course, written and published. One that is published is left as it is: it is hers to change."""
        course = self._begun(manuscript)
        path = f"{COURSES}/{course['id']}"
        if course["shown_revision"] is None:
            self._write(path, manuscript)
            as_read = {"If-Match": checked(self.api.get(path)).headers["ETag"]}
            checked(self.api.post(f"{path}/publish", headers=as_read))
        return str(course["id"])

    def sell(self, manuscript: Manuscript, course: str) -> str:
        """The variant that opens the course, for sale."""
        own = self.api.get("/v1/products", params={"course_id": course, "mine": "true"})
        product = next(iter(read(own)["items"]), None) or eventually(
            lambda: self._offered(manuscript, course), f"the shop hearing of course {course}"
        )
        return str(product["variants"][0]["id"])

    def _begun(self, manuscript: Manuscript) -> dict[str, Any]:
        own: list[dict[str, Any]] = read(self.api.get(COURSES, params={"limit": MOST}))["items"]
        found = next((one for one in own if one["slug"] == manuscript.about["slug"]), None)
        return found or read(self.api.post(COURSES, json=manuscript.about, headers=_now()))

    def _write(self, path: str, manuscript: Manuscript) -> None:
        """Add what the draft lacks."""
        for part in unwritten(manuscript, read(self.api.get(path))["modules"]):
            told = {"title": part.module.title}
            module = part.id or read(self.api.post(f"{path}/modules", json=told, headers=_now()))["id"]
            for lesson in part.lessons:
                new = {"title": lesson.title, "body": {"kind": "article", "html": lesson.html}}
                checked(self.api.post(f"/v1/authoring/modules/{module}/lessons", json=new, headers=_now()))

    def _offered(self, manuscript: Manuscript, course: str) -> dict[str, Any] | None:
        """The product; None while the course's publication is on its way to the shop."""
        about = manuscript.about
        told = {"title": about["title"], "description": about["summary"], "course_id": course}
        key = once(f"product-{course}")
        made = self.api.post("/v1/products", json={**told, **manuscript.offer}, headers=key)
        if made.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            named = {error["field"] for error in made.json().get("errors", [])}
            if named == {"body.course_id"}:
                return None
        product: dict[str, Any] = read(made)
        return product


def _now() -> dict[str, str]:
    """A key of its own for what was looked for and is not there: what somebody has deleted is written anew."""
    return once(str(uuid4()))
