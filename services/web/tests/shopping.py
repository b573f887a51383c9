"""What somebody does to buy the course that is sold, by the pages' own forms."""

from __future__ import annotations

from uuid import UUID

import httpx

from services.web.tests.conftest import ORIGIN, OURS, World
from services.web.tests.markup import one, tree

FROM_CART = {**OURS, "Referer": f"{ORIGIN}/cart"}


async def fill(client: httpx.AsyncClient, world: World) -> dict[str, str]:
    """Put the course into the cart; the form of its pay button."""
    variant = str(world.shop.variant(world.content.courses[-1]))
    await client.post("/cart/lines", data={"variant_id": variant}, headers=OURS)
    form = one(tree(await client.get("/cart")), "form[action='/checkout']")
    return {str(node.attributes["name"]): str(node.attributes["value"]) for node in form.css("input")}


async def pay(client: httpx.AsyncClient, world: World) -> UUID:
    """Order what is in the cart; the order's id."""
    answer = await client.post("/checkout", data=await fill(client, world), headers=FROM_CART)
    assert answer.status_code == 303, answer.text
    return UUID(answer.headers["location"].removeprefix("/checkout/"))
