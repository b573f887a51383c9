"""Learners order, pay and study, each over the API that a program of theirs would use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from world.left import PAID, ran_out
from world.people import Person
from world.platform import Platform, WorldFailed, checked, eventually, once, read
from world.signing_in import token_of

TRIES = 5
"""How often somebody whose bank says no tries again: these banks decline one payment in a hundred."""
UNDER_WAY = ("pending", "unresolved", "succeeded")
FAILED = ("failed", "expired", "closed")
"""States of an attempt to pay."""


@dataclass(frozen=True)
class Buyer:
    """A learner with a token, and a phone that pays."""

    person: Person
    api: httpx.Client
    handset: httpx.Client

    @classmethod
    def of(cls, platform: Platform, person: Person) -> Buyer:
        return cls(person, platform.browser(token_of(platform, person)), platform.browser())

    def orders(self, course: str | None = None) -> list[dict[str, Any]]:
        """What was ordered so far, the latest first, each in the state in which it stays unless something is done.

        `course`: only what opens that course.
        """
        found = eventually(self._orders, f"the orders of {self.person.name} being ended whose time is over")
        if course is None:
            return found
        told = (read(self.api.get(f"/v1/orders/{order['id']}")) for order in found)
        return [order for order in told if course in {line["course_id"] for line in order["lines"]}]

    def order(self, variant: str, coupon: str | None = None, expires_in: int | None = None) -> str:
        """Put one thing into the cart and order it; the order's id. `expires_in`: seconds it waits for its payment."""
        cart = read(self.api.post("/v1/carts", json={"currency": "INR"}))["id"]
        checked(self.api.put(f"/v1/carts/{cart}/lines/{variant}", json={"quantity": 1}))
        if coupon:
            checked(self.api.put(f"/v1/carts/{cart}/coupon", json={"code": coupon}))
        wanted = {"cart_id": cart} | ({"expires_in": expires_in} if expires_in else {})
        made = self.api.post("/v1/orders", json=wanted, headers=once(f"order-{cart}"))
        return str(read(made)["id"])

    def attempt(self, order: str) -> tuple[int, str]:
        """Begin to pay, or go on with what was begun: the attempt's number, and the upi:// link that its QR code holds."""
        payment = eventually(lambda: self._payment(order), f"a payment for order {order}")
        path, so_far = f"/v1/payments/{payment['id']}/attempts", len(payment["attempts"])
        key = once(f"attempt-{payment['id']}-after-{so_far}")
        made = read(self.api.post(path, json={"method": "upi_qr"}, headers=key))["attempt"]
        return int(made["number"]), str(made["upi_uri"])

    def pay(self, order: str) -> None:
        """Scan, enter the PIN, and wait until the order is paid; once more when the bank says no."""
        for _ in range(TRIES):
            if self._waited_for(order):
                return
            number, link = self.attempt(order)
            request = self._open(link)
            eventually(lambda at=request: self._approved(at), "the switch taking a payment")  # type: ignore[misc]
            if self._ended(order, number) == "paid":
                return
        raise WorldFailed(f"{self.person.vpa} was declined {TRIES} times")

    def _approved(self, request: str) -> bool | None:
        """Whether the PIN was taken; while many are paying nobody new may begin, and the same may be sent again."""
        answer = self.handset.post(f"{request}/approve", data={"pin": self.person.pin})
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return None
        checked(answer)
        return True

    def decline(self, order: str) -> None:
        """Scan, and think better of it."""
        checked(self.handset.post(f"{self._open(self.attempt(order)[1])}/decline"))

    def cancel(self, order: str) -> None:
        checked(self.api.post(f"/v1/orders/{order}/cancel", headers=once(f"cancel-{order}")))
        eventually(lambda: self._state(order, "canceled"), f"order {order} being canceled")

    def let_expire(self, order: str) -> None:
        """Look on until its time is over and commerce has ended it."""
        eventually(lambda: self._state(order, "expired"), f"order {order} being expired")

    def study(self, course: str, lessons: int) -> None:
        """Read the first lessons of a course that is theirs."""
        contents = read(self.api.get(f"/v1/courses/{course}/contents"))
        every = [lesson["id"] for module in contents["modules"] for lesson in module["lessons"]]
        for lesson in every[:lessons]:
            put = f"/v1/progress/{lesson}"
            eventually(lambda put=put: self._completed(put), f"lesson {put} being open")  # type: ignore[misc]

    def _completed(self, path: str) -> bool | None:
        """Whether it went through; a right that was just bought takes its way to content."""
        answer = self.api.put(path, json={"state": "completed"})
        if answer.status_code == httpx.codes.FORBIDDEN:
            return None
        checked(answer)
        return True

    def _open(self, link: str) -> str:
        """Open the link on the phone; the address of the request it became."""
        opened = checked(self.handset.post("/phone/requests", data={"link": link, "payer": self.person.vpa}))
        found = re.search(r"/phone/requests/[0-9a-f-]{36}", opened.headers.get("location", ""))
        if found is None:
            raise WorldFailed(f"the phone of {self.person.vpa} did not take {link}")
        return found[0]

    def _orders(self) -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = read(self.api.get("/v1/orders"))["items"]
        return None if ran_out(found, datetime.now(UTC)) else found

    def _waited_for(self, order: str) -> bool:
        """Whether an attempt of before, of which nobody waited for the end, has paid the order."""
        payment = self._payment(order)
        last = payment["attempts"][-1] if payment and payment["attempts"] else None
        if last is None or last["state"] not in UNDER_WAY:
            return False
        return self._ended(order, last["number"]) == "paid"

    def _ended(self, order: str, number: int) -> str:
        """`paid` or `failed`, as soon as one of both is so."""
        return eventually(lambda: self._end_of(order, number), f"an end of attempt {number} of order {order}")

    def _end_of(self, order: str, number: int) -> str | None:
        if self._state(order, *PAID):
            return "paid"
        payment = self._payment(order)
        states = [one["state"] for one in payment["attempts"] if one["number"] == number] if payment else []
        return "failed" if states and states[0] in FAILED else None

    def _payment(self, order: str) -> dict[str, Any] | None:
        items: list[dict[str, Any]] = read(self.api.get("/v1/payments", params={"order_id": order}))["items"]
        return items[0] if items else None

    def _state(self, order: str, *wanted: str) -> str | None:
        state = str(read(self.api.get(f"/v1/orders/{order}"))["status"])
        return state if state in wanted else None


def refund(finance: httpx.Client, order: str, amount: str | None = None) -> None:
    """Give money back: an amount in rupees, or all of it."""
    body = {"amount": {"amount": amount, "currency": "INR"}} if amount else {}
    checked(finance.post(f"/v1/orders/{order}/refunds", json=body, headers=once(f"refund-{order}")))
    wanted = "partially_refunded" if amount else "refunded"
    eventually(
        lambda: read(finance.get(f"/v1/orders/{order}"))["status"] == wanted or None,
        f"order {order} being {wanted}",
    )
