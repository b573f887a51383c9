"""Learners who buy a course, give it back, and buy it again, whatever is killed meanwhile; and what they were told."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from .banks import Account
from .books import identity, staff
from .kube import Kube
from .patient import insist

AT_ONCE = 4
A_DAY = 15
"""Orders that are paid from one account: its bank and the rail allow some more, which failed attempts take up."""
TOKEN_SECONDS = 300.0
LOOK_SECONDS = 0.5
SETTLED_SECONDS = 300.0
"""A refund whose message the outage swallowed is asked after three times, then tried again after 2, 10 and 60 s."""
OPEN = ("awaiting_payer",)
OVER = ("failed", "expired", "closed")


@dataclass
class Shop:
    """What is sold, and all that buyers were told of their orders."""

    kube: Kube
    url: str
    course: str
    variant: str
    finance: httpx.Client
    paid: set[str] = field(default_factory=set)
    refunded: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    at_it: list[Future[None]] = field(default_factory=list)

    def closes(self) -> None:
        """Wait until everybody has gone home with what they bought last; raises what somebody could not do."""
        self.over.set()
        for one in self.at_it:
            one.result()


@dataclass
class Buyer:
    """A learner with a token, a phone and some accounts."""

    shop: Shop
    email: str
    api: httpx.Client
    phone: httpx.Client
    accounts: list[Account]
    orders: list[str] = field(default_factory=list)
    minted_at: float = 0.0

    def go_shopping(self) -> None:
        """Buy and give back until it is over; what was bought last is kept."""
        while True:
            order = self._buy()
            self.shop.paid.add(order)
            if self.shop.over.is_set():
                return
            self._give_back(order)
            self.shop.refunded.add(order)

    def show_pass(self) -> None:
        """Have a token that is not about to end."""
        if time.monotonic() - self.minted_at < TOKEN_SECONDS:
            return
        token = identity(self.shop.kube, "NO_COLOR=1", "token", self.email)
        self.api.headers["Authorization"] = f"Bearer {token}"
        self.minted_at = time.monotonic()

    def _buy(self) -> str:
        """From an empty cart to an order that is paid; its id. Whatever is not answered is asked again as it was."""
        self.show_pass()
        cart = insist(self.api, "POST", "/v1/carts", {200, 201}, json={"currency": "INR"}).json()["id"]
        line = f"/v1/carts/{cart}/lines/{self.shop.variant}"
        insist(self.api, "PUT", line, {200, 201}, json={"quantity": 1})
        wish = {"cart_id": cart}
        order = str(insist(self.api, "POST", "/v1/orders", {201}, json=wish, headers=once()).json()["id"])
        self.orders.append(order)
        account = self.accounts[len(self.orders) // A_DAY % len(self.accounts)]
        self._until(order, {"paid", "fulfilled"}, lambda: self._pay(order, account))
        return order

    def _pay(self, order: str, account: Account) -> None:
        """Approve what waits for approval; begin anew when nothing does."""
        found = insist(self.api, "GET", "/v1/payments", {200}, params={"order_id": order}).json()["items"]
        if not found or found[0]["status"] in ("succeeded", "processing"):
            return
        attempts = found[0]["attempts"]
        if not attempts or attempts[-1]["state"] in OVER:
            path, wish = f"/v1/payments/{found[0]['id']}/attempts", {"method": "upi_qr"}
            insist(self.api, "POST", path, {200, 201, 409}, json=wish, headers=once())
        elif attempts[-1]["state"] in OPEN:
            self._approve(attempts[-1]["upi_uri"], account)

    def _approve(self, link: str, account: Account) -> None:
        """On the phone. Opened twice it is one request, approved twice it is paid once."""
        wish = {"link": link, "payer": account.vpa}
        opened = insist(self.phone, "POST", "/phone/requests", {303, 422}, data=wish)
        request = re.search(r"/phone/requests/[0-9a-f-]{36}", opened.headers.get("location", ""))
        if request is not None:
            insist(self.phone, "POST", f"{request[0]}/approve", {303}, data={"pin": account.pin})

    def _give_back(self, order: str) -> None:
        path, headers = f"/v1/orders/{order}/refunds", once()
        insist(self.shop.finance, "POST", path, {201}, headers=headers)
        self._until(order, {"refunded"}, lambda: None)

    def _until(self, order: str, wanted: set[str], what_to_do: Any) -> None:
        """Look again and again, and do what is to be done, until the order is as wanted."""
        deadline = time.monotonic() + SETTLED_SECONDS
        while True:
            seen = insist(self.api, "GET", f"/v1/orders/{order}", {200}).json()
            if seen["status"] in wanted:
                return
            assert time.monotonic() < deadline, f"never {wanted}: {seen}"
            what_to_do()
            time.sleep(LOOK_SECONDS)


def once() -> dict[str, str]:
    """A key for one wish, the same however often it is sent."""
    return {"Idempotency-Key": secrets.token_hex(16)}


@contextmanager
def shopping(
    kube: Kube, url: str, accounts: list[Account], finance: str, names: str
) -> Iterator[tuple[Shop, list[Buyer]]]:
    """Inside, until the shop closes, learners buy and give back, and pay from `accounts`, shared out among them."""
    with ExitStack() as stack:
        shop = _opened(kube, url, stack.enter_context(staff(url, finance)))
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=AT_ONCE))
        buyers = [
            _somebody(shop, f"{names}{number}", accounts[number::AT_ONCE], stack) for number in range(AT_ONCE)
        ]
        shop.at_it += [pool.submit(buyer.go_shopping) for buyer in buyers]
        try:
            yield shop, buyers
        finally:
            shop.over.set()


def _opened(kube: Kube, url: str, finance: httpx.Client) -> Shop:
    """What the tutorial's product is."""
    course = httpx.get(f"{url}/v1/courses", params={"q": "The Python Tutorial"}).json()["items"][0]
    products = httpx.get(f"{url}/v1/products", params={"course_id": course["id"]}).json()["items"]
    variant = next(one["id"] for one in products[0]["variants"] if one["seats_left"] is None)
    return Shop(kube, url, course["id"], variant, finance)


def _somebody(shop: Shop, name: str, accounts: list[Account], stack: ExitStack) -> Buyer:
    """A learner who has just come."""
    email = f"{name}.{secrets.token_hex(4)}@learner.example"
    create = ("create-user", email, "--name", name, "--keep")
    identity(shop.kube, f"SUUUPRA_NEW_PASSWORD={secrets.token_urlsafe(16)}", *create)
    api = stack.enter_context(httpx.Client(base_url=shop.url, timeout=10))
    headers = {"Origin": shop.url, "Sec-Fetch-Site": "same-origin"}
    phone = stack.enter_context(httpx.Client(base_url=shop.url, headers=headers, timeout=10))
    buyer = Buyer(shop, email, api, phone, accounts)
    buyer.show_pass()
    return buyer
