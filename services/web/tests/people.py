"""What people do on the real services: creators sell, learners sign in and order, by the pages' own forms."""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import httpx

from services.web.tests.conftest import ORIGIN
from services.web.tests.markup import one, tree
from services.web.tests.platform import PASSWORD, Platform
from suuupra.testing.issuer import Issuer

ASHA = "asha@example.org"


@dataclass
class Sold:
    """A course on sale."""

    slug: str
    id: UUID
    variant: str


async def sell(world: Platform) -> Sold:
    """A creator publishes a course of three lessons, of which the first is free, and offers it for ₹499."""
    made = partial(creates, world)
    course = await made(
        "content", "/v1/authoring/courses", "c", title="Rust", access="entitled", preview_lessons=1
    )
    module = await made("content", f"/v1/authoring/courses/{course['id']}/modules", "m", title="Start")
    for title in ("Hello", "Ownership", "Borrowing"):
        body = {"kind": "article", "html": f"<h2>{title}</h2><p>Text.</p>"}
        await made("content", f"/v1/authoring/modules/{module['id']}/lessons", title, title=title, body=body)
    await made("content", f"/v1/authoring/courses/{course['id']}/publish", "p")
    await world.carry()
    prices = [{"currency": "INR", "amount": "499.00"}]
    product = await made(
        "commerce", "/v1/products", "p", title="Rust", course_id=course["id"],
        variants=[{"title": "Whole course", "prices": prices}],
    )  # fmt: skip
    return Sold(course["slug"], UUID(course["id"]), product["variants"][0]["id"])


async def creates(world: Platform, service: str, path: str, key: str, **body: Any) -> dict[str, Any]:
    """What a creator makes at a service."""
    headers = {"Authorization": f"Bearer {await token_of(world, 'creator')}", "If-Match": "*"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.apps[service]), base_url=ORIGIN, headers=headers
    ) as creator:
        answer = await creator.post(path, json=body, headers={"Idempotency-Key": key})
        assert answer.is_success, answer.text
        view: dict[str, Any] = answer.json()
        return view


async def token_of(world: Platform, role: str, subject: str | None = None) -> str:
    """An access token of somebody with that role, signed with identity's own key: web asks for no scope that writes."""
    ring = world.apps["identity"].state.resources.get(
        importlib.import_module("services.identity.usecases.keyring").KeyRing
    )
    key = (await ring.current()).signing(world.clock.now()).key
    return Issuer(ORIGIN, "suuupra", key).mint(role, subject, clock=world.clock)


async def sign_in(client: httpx.AsyncClient, to: str = "/", email: str = ASHA) -> httpx.Response:
    """By identity's own page."""
    asked = await client.get("/session/login", params={"to": to})
    return await submit(client, asked, "form[action='/account/login']", email=email, password=PASSWORD)


async def place(world: Platform, client: httpx.AsyncClient, cart: httpx.Response) -> httpx.Response:
    """Order what is in the cart, while events are carried; the checkout with its QR code."""
    paying = asyncio.create_task(submit(client, cart, "form[action='/checkout']"))
    while not paying.done():
        await world.carry()
        await asyncio.sleep(0.01)
    return await paying


async def submit(client: httpx.AsyncClient, page: httpx.Response, form: str, **fields: str) -> httpx.Response:
    """Fill in a form of a page and send it, as its button does."""
    found = one(tree(page), form)
    values = {
        str(node.attributes["name"]): str(node.attributes["value"] or "")
        for node in found.css("input")
        if node.attributes.get("name")
    }
    path = str(found.attributes["action"])
    return await client.post(path, data=values | fields, headers={"Referer": str(page.url)})
