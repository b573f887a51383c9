"""Payments' side of the wire, with the contract's own models: one payment per order, attempts, a live stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from services.payments.contract import (
    AttemptStatus,
    AttemptView,
    NewAttempt,
    PaymentStatus,
    PaymentView,
    StartedAttempt,
)
from services.web.tests.content_double import EPOCH
from services.web.tests.switchboard import Who, answer, problem
from suuupra.money import Money
from suuupra.pagination import Page

LINK = "upi://pay?pa=suuupra@asha&pn=Suuupra&am=499.00&cu=INR&tr=R{number}&mode=15&mc=8299&sign=abc"


class PaymentsDouble:
    """Hears of an order when `hear` is called; `tell` says that something happened to it."""

    def __init__(self, who: Who) -> None:
        self.who = who
        self.payments: dict[UUID, PaymentView] = {}
        self.answered: dict[str, httpx.Response] = {}
        self.most_attempts = 20
        self.streams: list[asyncio.Queue[bool]] = []
        self.listening = asyncio.Event()

    def transport(self) -> httpx.MockTransport:
        """What the client is given instead of the network."""
        return httpx.MockTransport(self._answer)

    def hear(self, order: UUID) -> PaymentView:
        """The order is there: so is its payment."""
        money, none = Money(49900, "INR"), Money(0, "INR")
        self.payments[order] = PaymentView(
            id=uuid4(), order_id=order, order_number="SU-000001", status="requires_payment_method", amount=money,
            tax_minor=7612, refunded=none, refunding=none, cancel_wanted=False,
            payable_until=EPOCH + timedelta(minutes=15), created_at=EPOCH, updated_at=EPOCH, version=1, attempts=[],
            refunds=[],
        )  # fmt: skip
        return self.payments[order]

    def attempts(self, order: UUID) -> list[AttemptView]:
        """The attempts to pay an order."""
        return self.payments[order].attempts

    def tell(
        self, order: UUID, state: AttemptStatus, *, status: PaymentStatus = "processing", **more: Any
    ) -> None:
        """Let something become of the last attempt, and tell whoever listens."""
        payment = self.payments[order]
        changed = {
            "state": state,
            "upi_uri": payment.attempts[-1].upi_uri if state == "awaiting_payer" else None,
        }
        last = payment.attempts[-1].model_copy(update={**changed, **more})
        attempts = [*payment.attempts[:-1], last]
        self.payments[order] = payment.model_copy(update={"attempts": attempts, "status": status})
        for stream in self.streams:
            stream.put_nowait(True)

    def hang_up(self) -> None:
        """Break off every live stream."""
        for stream in self.streams:
            stream.put_nowait(False)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.who(request) is None:
            return problem(401, "unauthenticated", "This needs a signed-in caller.")
        if request.url.path == "/v1/payments":
            known = self.payments.get(UUID(request.url.params["order_id"]))
            return answer(Page[PaymentView](items=[known] if known else []))
        if found := re.fullmatch(r"/v1/payments/([^/]+)/(attempts|events)", request.url.path):
            payment = next(one for one in self.payments.values() if str(one.id) == found[1])
            return self._begin(request, payment) if found[2] == "attempts" else self._stream()
        return httpx.Response(404)

    def _begin(self, request: httpx.Request, payment: PaymentView) -> httpx.Response:
        NewAttempt.model_validate_json(request.content)
        key = request.headers["idempotency-key"]
        if key not in self.answered and len(payment.attempts) >= self.most_attempts:
            return problem(
                409,
                "too-many-attempts",
                "must have had fewer than 20 attempts",
                "path.payment_id",
                "ask support for help, or order again",
            )
        if key not in self.answered:
            self.answered[key] = answer(self._begun(payment), 201)
        kept = self.answered[key]
        return httpx.Response(kept.status_code, content=kept.content, headers=kept.headers)

    def _begun(self, payment: PaymentView) -> StartedAttempt:
        number = len(payment.attempts) + 1
        link = LINK.format(number=number)
        made = AttemptView(
            number=number, reference=f"R{number}", method="upi_qr", rail="upi", state="awaiting_payer",
            started_at=EPOCH, expires_at=EPOCH + timedelta(minutes=5), upi_uri=link,
        )  # fmt: skip
        self.payments[payment.order_id] = payment.model_copy(
            update={"attempts": [*payment.attempts, made], "status": "requires_action"}
        )
        return StartedAttempt(
            payment_id=payment.id, attempt=made, upi_uri=link, qr_svg="<svg/>", expires_at=made.expires_at
        )

    def _stream(self) -> httpx.Response:
        told: asyncio.Queue[bool] = asyncio.Queue()
        self.streams.append(told)
        return httpx.Response(200, stream=_Events(told, self.listening))


class _Events(httpx.AsyncByteStream):
    """A stream that says something whenever True was put into its queue, and breaks off at False."""

    def __init__(self, told: asyncio.Queue[bool], listening: asyncio.Event) -> None:
        self._told, self._listening = told, listening

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b": hello\n\n"
        self._listening.set()
        while await self._told.get():
            yield b"event: payment\ndata: {}\n\n"
        raise httpx.ReadError("the connection was reset")
