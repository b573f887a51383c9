"""T3 at each service directly: every operation that takes a token refuses spoilt ones, and none forgot to ask.

The applications are made as pods make them and connect to nothing: a token is judged before anything else is asked.
Two are tried elsewhere: identity, which judges with keys of its own, by services/identity/tests/test_t3_spoilt_tokens.py
over all of its API; and what of content is open to all but for what is sold, by services/content/tests/test_access.py.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import httpx
import pytest
import yaml
from fastapi import FastAPI

from suuupra import discovery
from suuupra.settings import AuthSettings, example
from suuupra.testing.issuer import Issuer
from suuupra.testing.spoilt import spoilt

from .tree import ROOT

ISSUER = Issuer.new()
SPOILT = spoilt(ISSUER)
NOWHERE = "postgresql://nobody:x@127.0.0.1:9/none"
LATE = {
    "/v1/courses/{course}/contents",
    "/v1/courses/{course}/lessons/{lesson}",
    "/v1/lessons/{lesson_id}",
}
"""content's public pages: a token is judged only where it would open something, which takes a course that is sold."""


class Operation(NamedTuple):
    method: str
    path: str
    asks: bool
    """For a token, if only for one that may be left out."""
    needs: bool


@functools.cache
def app(name: str) -> FastAPI:
    found = discovery.find(name)
    given = {
        "jwks": json.dumps(ISSUER.jwks()), "jwks_url": None, "issuer": ISSUER.issuer, "audience": ISSUER.audience,
        "database_url": NOWHERE,
    }  # fmt: skip
    known = {key: value for key, value in given.items() if key in found.settings().model_fields}
    return found.create_app(example(found.settings(), service=found.name, **known))


def operations(name: str) -> Iterator[Operation]:
    for path, item in app(name).openapi()["paths"].items():
        for method, operation in item.items():
            security = operation.get("security", [])
            yield Operation(method.upper(), path, bool(security), bool(security) and {} not in security)


NAMES = [
    it.name
    for it in discovery.found()
    if issubclass(it.settings(), AuthSettings) and any(operation.asks for operation in operations(it.name))
]


async def ask(name: str, operation: Operation, token: str | None) -> httpx.Response:
    path = re.sub(r"{[^}]+}", "0197a2b0-0000-7000-8000-000000000001", operation.path)
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    transport = httpx.ASGITransport(app(name), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        return await client.request(operation.method, path, headers=headers)


@pytest.mark.parametrize("name", NAMES)
async def test_t3_at_each_service_every_operation_refuses_spoilt_tokens(name: str) -> None:
    passed = [
        f"{operation.method} {operation.path}: {why}, {answer.status_code}"
        for operation in operations(name)
        if operation.asks and operation.path not in LATE
        for why, token in SPOILT.items()
        if (answer := await ask(name, operation, token)).status_code != 401
        or "invalid_token" not in answer.headers.get("www-authenticate", "")
    ]
    assert passed == []


@pytest.mark.parametrize("name", NAMES)
async def test_t3_what_needs_a_token_refuses_who_has_none_and_lets_a_genuine_one_further(name: str) -> None:
    """So that the test above is about what was done to the tokens, and not about their form."""
    genuine = ISSUER.mint("learner")
    for operation in operations(name):
        if operation.needs:
            assert (await ask(name, operation, None)).status_code == 401, operation
    scoped = [it for it in operations(name) if it.needs and it.method in ("POST", "PATCH", "PUT")]
    for operation in scoped:  # an empty body, a missing scope: whatever stops it, it is not the token
        assert (await ask(name, operation, genuine)).status_code in (400, 403, 404, 422, 428, 503), operation


class Route(NamedTuple):
    path: str
    methods: tuple[str, ...]
    """All, when it names none."""
    guarded: bool
    """The gateway lets nobody through without a token."""


@functools.cache
def routes() -> Mapping[str, list[Route]]:
    """Service → what its resource asks the gateway for."""
    found: dict[str, list[Route]] = {}
    for file in (*(ROOT / "manifests/services").glob("*.yaml"), *(ROOT / "manifests/rails").glob("*.yaml")):
        for resource in yaml.safe_load_all(file.read_text()):
            spec = resource["spec"]
            switch = spec.get("switch")
            name = switch["service"] if switch else spec.get("service", resource["metadata"]["name"])
            for it in (switch or spec).get("routes", ()):
                route = Route(it["path"], tuple(it.get("methods", ())), it.get("auth", "user") == "user")
                found.setdefault(name, []).append(route)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_t3_what_the_gateway_lets_nobody_reach_without_a_token_asks_for_one_itself(name: str) -> None:
    """An operation that forgot its dependency would trust whoever calls it inside the cluster."""
    forgot = []
    for operation in operations(name):
        reached = [
            it
            for it in routes()[name]
            if operation.path.startswith(it.path) and operation.method in (it.methods or (operation.method,))
        ]
        longest = max(reached, key=lambda it: len(it.path), default=None)
        if longest is not None and longest.guarded and not operation.needs:
            forgot.append(f"{operation.method} {operation.path}")
    assert forgot == []
