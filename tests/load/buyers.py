"""A crowd of buyers: each orders what is in a cart and pays it by UPI, all over the public API and as fast as it answers.

The human is automatic: whoever sees that the order may be paid begins to pay in the same moment, opens the link on the
phone and enters the PIN. They come at a steady rate whether or not those before them are done (an open loop), so that
a platform that is too slow cannot slow down what is asked of it. Who is told 429 asks again when the answer says.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import aiohttp

from .report import say
from .stage import PAYERS, PIN, Tokens

LOOK_SECONDS: Final = 0.04
"""Between two questions whether the order may be paid; after PROMPT_SECONDS a quarter of what was waited already, since
a learner may ask twenty times a second."""
PROMPT_SECONDS: Final = 0.3
PATIENCE_SECONDS: Final = 120.0
CARTS_AT_ONCE: Final = 4
_REQUEST: Final = re.compile(r"/phone/requests/[0-9a-f-]{36}")


class Refused(Exception):
    """A request was not answered as it must be; the text says which and how."""


@dataclass(frozen=True)
class Bought:
    """Moments of one purchase in seconds since 1970: the service's own, then the buyer's."""

    order: str
    created: float
    payable: float
    """When the buyer saw that it may be paid."""
    approved: float
    """When the buyer had entered the PIN and sent it."""


@dataclass(frozen=True)
class Journal:
    """Moments of one payment, in seconds since 1970: when it succeeded, and when the ledger posted it."""

    succeeded: float
    posted: float


@dataclass
class Crowd:
    """Buyers with one pool of connections."""

    session: aiohttp.ClientSession
    variant: str
    tokens: Tokens = field(default_factory=lambda: Tokens((), ""))
    """To be had fresh before anybody arrives: a token is good for ten minutes."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def carts(self, count: int) -> list[str]:
        """So many carts with the product in them, made as fast as one address may."""
        say(f"{count} carts are filled")
        left = iter(range(count))

        async def fill() -> list[str]:
            return [await self._cart() for _ in left]

        return [one for each in await asyncio.gather(*(fill() for _ in range(CARTS_AT_ONCE))) for one in each]

    async def _cart(self) -> str:
        cart = (await self._patiently("POST", "/v1/carts", json={"currency": "INR"}))["id"]
        line = f"/v1/carts/{cart}/lines/{self.variant}"
        await self._patiently("PUT", line, json={"quantity": 1})
        return str(cart)

    async def _patiently(self, method: str, path: str, **more: Any) -> Any:
        """Ask, and the same again when the answer says that there is too much to do."""
        async with self._let_in(method, path, **more) as answer:
            return await _body(answer)

    @asynccontextmanager
    async def _let_in(self, method: str, path: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        began = time.perf_counter()
        while True:
            async with self.session.request(method, path, **more) as answer:
                if answer.status != 429 or time.perf_counter() - began > PATIENCE_SECONDS:
                    yield answer
                    return
                pause = float(answer.headers.get("Retry-After", "1"))
            await asyncio.sleep(pause)

    async def arrive(self, carts: Sequence[str], rate: float) -> tuple[list[Bought], list[str]]:
        """One buyer for each cart, `rate` a second: what was bought, and what went wrong, in words."""
        began, tasks = time.perf_counter(), []
        for place, cart in enumerate(carts):
            await asyncio.sleep(max(0.0, began + place / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(self._buy(cart)))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        bought = [end for end in ends if isinstance(end, Bought)]
        faults = [f"{type(end).__name__}: {end}" for end in ends if isinstance(end, BaseException)]
        return bought, faults

    async def _buy(self, cart: str) -> Bought:
        number, learners = next(self._numbers), self.tokens.learners
        me = {"Authorization": f"Bearer {learners[number % len(learners)]}"}
        once = me | {"Idempotency-Key": f"bench-{cart}"}
        order = await self._patiently("POST", "/v1/orders", json={"cart_id": cart}, headers=once)
        payment = await self._payable(order["id"], me)
        payable = time.time()
        attempts = f"/v1/payments/{payment}/attempts"
        begun = await self._patiently("POST", attempts, json={"method": "upi_qr"}, headers=once)
        link = {"link": begun["attempt"]["upi_uri"], "payer": PAYERS[number % len(PAYERS)]}
        request = await self._phone("/phone/requests", link)
        approved = time.time()
        await self._phone(f"{request}/approve", {"pin": PIN})
        return Bought(order["id"], _seconds(order["created_at"]), payable, approved)

    async def _payable(self, order: str, me: Mapping[str, str]) -> str:
        began = time.perf_counter()
        while (waited := time.perf_counter() - began) < PATIENCE_SECONDS:
            query = {"order_id": order}
            async with self.session.get("/v1/payments", params=query, headers=me) as answer:
                items = [] if answer.status == 429 else (await _body(answer))["items"]
            if items:
                return str(items[0]["id"])
            await asyncio.sleep(LOOK_SECONDS if waited < PROMPT_SECONDS else waited / 4)
        raise Refused(f"order {order} may still not be paid after {PATIENCE_SECONDS:.0f} s")

    async def _phone(self, path: str, form: Mapping[str, str]) -> str:
        """Send a form of the phone; the address of the request that it leads to."""
        ours = {"Sec-Fetch-Site": "same-origin"}
        async with self._let_in("POST", path, data=form, headers=ours, allow_redirects=False) as answer:
            found = _REQUEST.search(answer.headers.get("Location", ""))
            if found is None:
                raise Refused(f"{path}: {answer.status} {(await answer.text())[:200]}")
            return found[0]

    async def journals(self, orders: set[str]) -> dict[str, Journal]:
        """Those of these orders, by order; waits for all of them, as long as any still comes."""
        found: dict[str, Journal] = {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < len(orders) and time.monotonic() < deadline:
            fresh = await self._newest(orders, found)
            if len(fresh) > len(found):
                deadline = time.monotonic() + PATIENCE_SECONDS
            found = fresh
            await asyncio.sleep(0.5)
        return found

    async def _newest(self, orders: set[str], known: Mapping[str, Journal]) -> dict[str, Journal]:
        """What is known, and what the newest pages have beyond it."""
        found, query = dict(known), {"limit": "100", "kind": "transfer"}
        staff = {"Authorization": f"Bearer {self.tokens.finance}"}
        while True:
            page = await self._patiently("GET", "/v1/ledger/journals", params=query, headers=staff)
            refs = {(one["reference"] or "").removeprefix("order:"): one for one in page["items"]}
            news = {order: journal_of(refs[order]) for order in refs.keys() & orders - found.keys()}
            found |= news
            if not news or page["next"] is None or len(found) == len(orders):
                return found
            query["cursor"] = page["next"]


def journal_of(view: Mapping[str, Any]) -> Journal:
    """What the ledger's API says of a payment's journal: it counts from when the payment succeeded."""
    return Journal(_seconds(view["effective_at"]), _seconds(view["posted_at"]))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


async def _body(answer: aiohttp.ClientResponse) -> Any:
    if answer.status >= 400:
        raise Refused(f"{answer.method} {answer.url.path}: {answer.status} {(await answer.text())[:200]}")
    return await answer.json()
