"""What a creator does through the API, in the words of the tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

_keys = count()

COURSES = "/v1/authoring/courses"


@dataclass(frozen=True, slots=True)
class Author:
    """A client with a creator's token."""

    client: httpx.AsyncClient
    headers: Mapping[str, str]

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, headers=self.headers, **options)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """POST with an Idempotency-Key, a new one unless `key` says otherwise."""
        headers = {**self.headers, "Idempotency-Key": key or f"key-{next(_keys)}"}
        return await self.client.post(path, json=body, headers=headers)

    async def put(self, path: str, body: Any, match: str | None = "*") -> httpx.Response:
        return await self.client.put(path, json=body, headers=self._matching(match))

    async def delete(self, path: str, match: str | None = "*") -> httpx.Response:
        return await self.client.delete(path, headers=self._matching(match))

    async def act(self, path: str, match: str | None = "*") -> httpx.Response:
        """POST to a verb, such as publish."""
        return await self.client.post(path, headers=self._matching(match))

    def _matching(self, match: str | None) -> dict[str, str]:
        return {**self.headers, **({"If-Match": match} if match else {})}

    async def upload(self, course_id: str, name: str, data: bytes) -> httpx.Response:
        path = f"{COURSES}/{course_id}/media"
        return await self.client.post(path, params={"name": name}, content=data, headers=self.headers)

    async def course(self, title: str = "Physics", **fields: Any) -> dict[str, Any]:
        return created(await self.post(COURSES, {"title": title, **fields}))

    async def module(self, course_id: str, title: str = "Motion", **fields: Any) -> dict[str, Any]:
        return created(await self.post(f"{COURSES}/{course_id}/modules", {"title": title, **fields}))

    async def lesson(
        self, module_id: str, title: str, html: str = "<p>Text</p>", **fields: Any
    ) -> dict[str, Any]:
        body = {"title": title, "body": {"kind": "article", "html": html}, **fields}
        return created(await self.post(f"/v1/authoring/modules/{module_id}/lessons", body))

    async def publish(self, course_id: str) -> dict[str, Any]:
        answer = await self.act(f"{COURSES}/{course_id}/publish")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def published(self, title: str = "Physics", lessons: int = 2) -> "Published":
        """A published course of one module."""
        course = await self.course(title)
        module = await self.module(course["id"])
        made = [await self.lesson(module["id"], f"Lesson {number}") for number in range(1, lessons + 1)]
        await self.publish(course["id"])
        return Published(course["id"], course["slug"], module["id"], [lesson["id"] for lesson in made])


@dataclass(frozen=True, slots=True)
class Published:
    """A course that learners read."""

    id: str
    slug: str
    module_id: str
    lesson_ids: list[str]


def created(answer: httpx.Response) -> dict[str, Any]:
    """The body of a 201."""
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body
