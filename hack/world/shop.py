"""Learners order, pay and study, each over the API that a program of theirs would use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx

from world.people import Person, token_of
from world.platform import Platform, WorldFailed, checked, eventually, read

CLOSED = ("paid", "fulfilled", "refunded", "partially_refunded")


@dataclass(frozen=True)
class Buyer:
    """A learner with a token, and a phone that pays."""

    person: Person
    api: httpx.Client
    handset: httpx.Client

    @classmethod
    def of(cls, platform: Platform, person: Person) -> Buyer:
        return cls(person, platform.browser(token_of(platform, person)), platform.browser())

    def orders(self) -> list[dict[str, Any]]:
        """What was ordered so far."""
        found: list[dict[str, Any]] = read(self.api.get("/v1/orders"))["items"]
        return found

    def order(self, variant: str, what: str, coupon: str | None = None) -> str:
        """Put one thing into the cart and order it; the order's id. `what` names the wish: asked twice it is one."""
        cart = read(self.api.post("/v1/carts", json={"currency": "INR"}))["id"]
        checked(self.api.put(f"/v1/carts/{cart}/lines/{variant}", json={"quantity": 1}))
        if coupon:
            checked(self.api.put(f"/v1/carts/{cart}/coupon", json={"code": coupon}))
        made = self.api.post("/v1/orders", json={"cart_id": cart}, headers=_once(f"order-{what}"))
        return str(read(made)["id"])

    def attempt(self, order: str, what: str) -> str:
        """Begin to pay; the upi:// link that the QR code holds."""
        payment = eventually(lambda: self._payment(order), f"a payment for order {order}")
        path = f"/v1/payments/{payment}/attempts"
        made = read(self.api.post(path, json={"method": "upi_qr"}, headers=_once(f"attempt-{what}")))
        return str(made["attempt"]["upi_uri"])

    def pay(self, order: str, what: str) -> None:
        """Scan, enter the PIN, and wait until the order is paid."""
        request = self._open(self.attempt(order, what))
        checked(self.handset.post(f"{request}/approve", data={"pin": self.person.pin}))
        eventually(lambda: self._state(order, *CLOSED), f"order {order} being paid")

    def decline(self, order: str, what: str) -> None:
        """Scan, and think better of it."""
        checked(self.handset.post(f"{self._open(self.attempt(order, what))}/decline"))

    def cancel(self, order: str) -> None:
        checked(self.api.post(f"/v1/orders/{order}/cancel", headers=_once(f"cancel-{order}")))
        eventually(lambda: self._state(order, "canceled"), f"order {order} being canceled")

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

    def _payment(self, order: str) -> str | None:
        items = read(self.api.get("/v1/payments", params={"order_id": order}))["items"]
        return str(items[0]["id"]) if items else None

    def _state(self, order: str, *wanted: str) -> str | None:
        state = str(read(self.api.get(f"/v1/orders/{order}"))["status"])
        return state if state in wanted else None


def refund(finance: httpx.Client, order: str, amount: str | None = None) -> None:
    """Give money back: an amount in rupees, or all of it."""
    body = {"amount": {"amount": amount, "currency": "INR"}} if amount else {}
    checked(finance.post(f"/v1/orders/{order}/refunds", json=body, headers=_once(f"refund-{order}")))
    wanted = "partially_refunded" if amount else "refunded"
    eventually(
        lambda: read(finance.get(f"/v1/orders/{order}"))["status"] == wanted or None,
        f"order {order} being {wanted}",
    )


def _once(what: str) -> dict[str, str]:
    return {"Idempotency-Key": f"world-{what}"}
