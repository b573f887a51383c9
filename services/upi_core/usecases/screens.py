"""What the phone shows of a request."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from services.upi_core.domain.codes import MEANINGS, Code
from services.upi_core.domain.links import CURRENCY
from services.upi_core.domain.payment import State
from services.upi_core.store import requests, transactions
from services.upi_core.store.requests import PaymentRequest
from services.upi_core.store.transactions import Txn
from services.upi_core.usecases.rail import Rail
from suuupra.db import Transaction
from suuupra.money import Money

Kind = Literal[
    "ask",
    "busy",
    "paid",
    "partly_refunded",
    "refunded",
    "deemed",
    "failed",
    "returned",
    "declined",
    "expired",
]
_PIN: Final = re.compile(r"[0-9]{4,6}")
_NOBODY: Final = "The payment address is nobody's any more. Nothing was paid; ask the payee for a new link."
_RETRIED: Final = frozenset({Code.WRONG_PIN, Code.INSUFFICIENT, Code.PAYER_BANK_DOWN, Code.AUTH_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Back:
    """Money that a refund brought back, and the reference that the bank's statement has of it."""

    minor: int
    rrn: str

    @property
    def amount(self) -> str:
        return rupees(self.minor)


@dataclass(frozen=True, slots=True)
class Screen:
    request: PaymentRequest
    kind: Kind
    amount: str
    sentence: str
    code: str | None
    rrn: str | None
    at: datetime
    again: bool
    """Whether it makes sense to try again."""
    back: tuple[Back, ...]


def is_pin(text: str) -> bool:
    return _PIN.fullmatch(text) is not None


def rupees(minor: int) -> str:
    """`₹1,23,456.00`: grouped as in India."""
    whole, _, decimals = f"{Money(minor, CURRENCY).decimal():f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    return "₹" + ",".join([*pairs, tail]) + "." + decimals


async def of(tx: Transaction, rail: Rail, request: PaymentRequest) -> Screen:
    """The request as it stands now."""
    txn = await transactions.find(tx, request.txn_id)
    back = await _back(tx, txn) if txn is not None and txn.payment.state is State.SUCCESS else ()
    kind = _kind(request, txn, sum(one.minor for one in back), rail.clock.now())
    code = txn.payment.code if txn is not None else None
    return Screen(
        request=request,
        kind=kind,
        amount=rupees(request.amount_minor),
        sentence=_sentence(kind, code, rupees(sum(one.minor for one in back))),
        code=code.value if code else None,
        rrn=txn.rrn if txn is not None else None,
        at=txn.created_at if txn is not None else request.created_at,
        again=kind == "failed" and code in _RETRIED and request.origin == "link",
        back=back,
    )


async def _back(tx: Transaction, txn: Txn) -> tuple[Back, ...]:
    refunds = await transactions.refunds_of(tx, txn.id)
    return tuple(Back(it.amount_minor, it.rrn) for it in refunds if it.payment.state is State.SUCCESS)


async def activity(tx: Transaction, rail: Rail, vpa: str) -> Sequence[Screen]:
    """The latest requests of a payer, those that wait first."""
    screens = [await of(tx, rail, request) for request in await requests.of_payer(tx, vpa)]
    return sorted(screens, key=lambda screen: screen.kind != "ask")


def _kind(request: PaymentRequest, txn: Txn | None, back_minor: int, now: datetime) -> Kind:
    if request.state == "declined":
        return "declined"
    if request.state == "pending":
        return "ask" if request.expires_at > now else "expired"
    if txn is None:  # an approval and its transaction are committed as one: this was refused without any
        return "expired" if request.state == "expired" else "failed"
    match txn.payment.state:
        case State.SUCCESS:
            return _paid(txn, back_minor)
        case State.DEEMED:
            return "deemed"
        case State.REVERSED | State.REVERSAL_PENDING:
            return "returned"
        case State.DISPUTED:
            return "deemed" if not txn.payment.reversals else "returned"
        case State.EXPIRED:
            return "expired"
        case State.FAILED:
            return "failed"
        case _:
            return "busy"


def _paid(txn: Txn, back_minor: int) -> Kind:
    if not back_minor:
        return "paid"
    return "partly_refunded" if back_minor < txn.amount_minor else "refunded"


def _sentence(kind: Kind, code: Code | None, back: str) -> str:
    match kind:
        case "ask":
            return "Enter your UPI PIN to pay."
        case "busy":
            return "Your bank is working on it. This page looks again by itself."
        case "paid":
            return "Paid. You can go back to the shop; it knows already."
        case "partly_refunded":
            return f"Paid, and {back} of it is back in your account."
        case "refunded":
            return "What you paid is back in your account."
        case "deemed":
            return MEANINGS[Code.DEEMED]
        case "returned":
            return "The payment did not reach the payee. The money comes back to your account."
        case "declined":
            return "You declined. Nothing was paid."
        case "expired":
            return "The time to pay is over. Nothing was paid."
        case "failed":
            return MEANINGS[code] if code is not None else _NOBODY
