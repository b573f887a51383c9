"""What a payment, a refund and a surplus are in the books. The journal's id is that of what it books."""

import re
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from services.ledger.domain.accounts import Account, account_of
from services.ledger.domain.journals import EARLIEST, MAX_MINOR, Draft, Leg, Transfer
from services.ledger.domain.refusals import Malformed
from services.payments.contract import (
    PaymentRefunded,
    PaymentSucceeded,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.money import UnknownCurrency, exponent_of

_RAIL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def clearing(rail: str, currency: str) -> str:
    """What a rail owes us, until its settlement."""
    return f"assets:{rail}-clearing:{currency}"


def sales(currency: str) -> str:
    """Courses sold, without tax."""
    return f"revenue:courses:{currency}"


def refunds(currency: str) -> str:
    """Money given back, without tax: contra revenue, so that sales stay visible."""
    return f"revenue:refunds:{currency}"


def tax(currency: str) -> str:
    """GST that was taken and is owed."""
    return f"liabilities:gst-output:{currency}"


def surplus(currency: str) -> str:
    """What payers paid twice and get back: theirs and not ours, so neither revenue nor tax."""
    return f"liabilities:surplus-payments:{currency}"


def surplus_chart(rail: str, currency: str) -> list[Account]:
    """The accounts that surpluses of a rail need."""
    return [
        account_of(clearing(rail, currency), f"Clearing of {rail} in {currency}"),
        account_of(surplus(currency), f"Paid twice in {currency}, to be given back"),
    ]


def chart(rail: str, currency: str) -> list[Account]:
    """The accounts that payments of a rail need."""
    return [
        account_of(clearing(rail, currency), f"Clearing of {rail} in {currency}"),
        account_of(sales(currency), f"Courses sold in {currency}"),
        account_of(refunds(currency), f"Refunds in {currency}", contra=True),
        account_of(tax(currency), f"GST output in {currency}"),
    ]


def succeeded(event: PaymentSucceeded) -> Draft:
    """A payment: the rail owes us the amount; what is not tax is earned. Raises Malformed."""
    _check(event, event.succeeded_at)
    currency = event.currency
    legs = (
        Leg(clearing(event.rail, currency), "debit", event.amount_minor),
        Leg(sales(currency), "credit", event.amount_minor - event.tax_minor),
        Leg(tax(currency), "credit", event.tax_minor),
    )
    return Draft(
        event.payment_id,
        "transfer",
        event.succeeded_at,
        "payment succeeded",
        (Transfer(currency, tuple(leg for leg in legs if leg.amount)),),
        reference=f"order:{event.order_id}",
        details={
            "payment_id": str(event.payment_id),
            "rail": event.rail,
            "rail_reference": event.rail_reference,
            "rrn": event.rrn,
        },
    )


def refunded(event: PaymentRefunded) -> Draft:
    """A refund: the mirror image, except that sales stay and refunds stand beside them. Raises Malformed."""
    _check(event, event.refunded_at)
    currency = event.currency
    legs = (
        Leg(refunds(currency), "debit", event.amount_minor - event.tax_minor),
        Leg(tax(currency), "debit", event.tax_minor),
        Leg(clearing(event.rail, currency), "credit", event.amount_minor),
    )
    return Draft(
        event.refund_id,
        "transfer",
        event.refunded_at,
        "payment refunded",
        (Transfer(currency, tuple(leg for leg in legs if leg.amount)),),
        reference=f"order:{event.order_id}",
        details={
            "payment_id": str(event.payment_id),
            "refund_id": str(event.refund_id),
            "rail": event.rail,
            "rail_reference": event.rail_reference,
            "rrn": event.rrn,
            "reason": event.reason,
        },
    )


def surplus_received(event: SurplusReceived) -> Draft:
    """Money that came twice: the rail owes us it, and we its payer. Raises Malformed."""
    _check(event, event.received_at)
    legs = (
        Leg(clearing(event.rail, event.currency), "debit", event.amount_minor),
        Leg(surplus(event.currency), "credit", event.amount_minor),
    )
    return _of_surplus(event, event.surplus_id, event.received_at, "surplus received", legs)


def surplus_returned(event: SurplusReturned) -> Draft:
    """A surplus went back: the mirror image. Raises Malformed."""
    _check(event, event.returned_at)
    legs = (
        Leg(surplus(event.currency), "debit", event.amount_minor),
        Leg(clearing(event.rail, event.currency), "credit", event.amount_minor),
    )
    return _of_surplus(event, event.refund_id, event.returned_at, "surplus returned", legs)


def _of_surplus(
    event: SurplusReceived | SurplusReturned,
    journal_id: UUID,
    at: datetime,
    what: str,
    legs: tuple[Leg, ...],
) -> Draft:
    return Draft(
        journal_id,
        "transfer",
        at,
        what,
        (Transfer(event.currency, legs),),
        reference=f"order:{event.order_id}",
        details={
            "payment_id": str(event.payment_id),
            "surplus_id": str(event.surplus_id),
            "rail": event.rail,
            "rail_reference": event.rail_reference,
            "rrn": event.rrn,
        },
    )


Booked = PaymentSucceeded | PaymentRefunded | SurplusReceived | SurplusReturned


def draft(event: Booked) -> Draft:
    """The journal of an event. Raises Malformed."""
    match event:
        case PaymentSucceeded():
            return succeeded(event)
        case PaymentRefunded():
            return refunded(event)
        case SurplusReceived():
            return surplus_received(event)
        case SurplusReturned():
            return surplus_returned(event)
        case _:
            assert_never(event)


def _check(event: Booked, at: datetime) -> None:
    if at.tzinfo is None or at < EARLIEST:
        raise Malformed(
            "the time", "must have a time zone and be later than 1999", "correct the event at its publisher"
        )
    if not 0 < event.amount_minor <= MAX_MINOR:
        raise Malformed("amount_minor", f"must be 1 to {MAX_MINOR}", "correct the event at its publisher")
    if not 0 <= getattr(event, "tax_minor", 0) <= event.amount_minor:
        raise Malformed("tax_minor", "must be 0 to the amount", "correct the event at its publisher")
    if not _RAIL.fullmatch(event.rail):
        raise Malformed(
            "rail", "must be lower-case letters, digits and hyphens", "name the rail as its resource"
        )
    try:
        exponent_of(event.currency)
    except UnknownCurrency as error:
        raise Malformed(
            "currency", "must be an ISO 4217 code", "correct the event at its publisher"
        ) from error
