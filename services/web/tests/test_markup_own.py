"""Pages of one person follow the rules of all pages, and what others wrote is text on them and never markup."""

from __future__ import annotations

import httpx
import pytest

from services.web.tests.conftest import OURS, World, sign_in
from services.web.tests.markup import RULES, Rule, one, tree

pytestmark = pytest.mark.integration

HOSTILE = "<script>alert('title')</script>\"'><img src=x onerror=alert(1)>"


async def pages(client: httpx.AsyncClient, world: World) -> dict[str, httpx.Response]:
    """Every page of a person who has bought, buys, and has tried in vain."""
    course = world.content.courses[-1]
    variant = str(world.shop.variant(course))
    found: dict[str, httpx.Response] = {
        "empty cart": await client.get("/cart"),
        "empty inbox": await client.get("/inbox"),
    }
    for path in ("/learning", "/orders"):
        found[f"empty {path}"] = await client.get(path)
    found["locked"] = await client.get("/courses/rust/lessons/ownership")
    await client.post("/cart/lines", data={"variant_id": variant}, headers=OURS)
    found["cart"] = await client.get("/cart")
    found["coupon"] = await client.post("/cart/coupon", data={"code": HOSTILE}, headers=OURS)
    form = {
        str(node.attributes["name"]): str(node.attributes["value"])
        for node in one(tree(found["cart"]), "form[action='/checkout']").css("input")
    }
    placed = await client.post("/checkout", data=form, headers=OURS)
    order = next(iter(world.shop.orders))
    path = str(placed.headers["location"])
    found["preparing"] = await client.get(path)
    payment = world.till.hear(order)
    found["ready"] = await client.get(path)
    await client.post(f"{path}/attempts", data={"number": "1"}, headers=OURS)
    found["scan"] = await client.get(path)
    world.till.tell(order, "pending")
    found["confirming"] = await client.get(path)
    world.till.tell(order, "unresolved")
    found["unsure"] = await client.get(path)
    world.till.tell(order, "failed", code="X1", reason=HOSTILE)
    found["failed"] = await client.get(path)
    world.till.tell(order, "succeeded", status="succeeded")
    found["settling"] = await client.get(path)
    world.shop.settle(order, "fulfilled")
    world.shop.rights[world.identity.user] = {course.id}
    world.post.deliver(HOSTILE, "/orders")
    for own in (
        path,
        "/account",
        "/learning",
        "/orders",
        f"/orders/{order}",
        f"/orders/{order}/receipt",
        "/inbox",
    ):
        found[own] = await client.get(own)
    for status in ("expired", "canceled", "refunded"):
        world.shop.settle(order, status)
        world.till.payments[order] = payment
        found[status] = await client.get(path)
    found["refused sign-in"] = await client.get("/session/callback?error=x&state=y")
    return found


async def test_every_page_of_a_person_follows_the_rules(shopper: httpx.AsyncClient, world: World) -> None:
    await sign_in(shopper, world)
    broken: list[tuple[str, str, str]] = []

    def judge(name: str, page: httpx.Response, rule: Rule) -> None:
        try:
            rule(page)
        except AssertionError as error:
            broken.append((name, getattr(rule, "__name__", ""), str(error)[:200]))

    for name, page in (await pages(shopper, world)).items():
        if page.status_code == 303:
            continue
        for rule in RULES:
            judge(name, page, rule)
    assert broken == []


async def test_what_others_wrote_is_escaped_on_every_page(shopper: httpx.AsyncClient, world: World) -> None:
    world.identity.name = HOSTILE
    world.content.courses[-1].title = HOSTILE
    await sign_in(shopper, world)
    for name, page in (await pages(shopper, world)).items():
        assert "<script>alert" not in page.text, name
        assert "<img src=x" not in page.text, name


async def test_no_page_of_a_person_is_kept_by_anybody(shopper: httpx.AsyncClient, world: World) -> None:
    await sign_in(shopper, world)
    for name, page in (await pages(shopper, world)).items():
        assert "no-store" in page.headers["cache-control"], name
