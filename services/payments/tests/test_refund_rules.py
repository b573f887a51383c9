"""Refunds: never above what was captured, tax exactly, one try at a time."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain import events as e
from services.payments.domain import refunds
from services.payments.domain.events import RefundReason
from services.payments.domain.payment import Payment, Refund
from services.payments.domain.rails import NPCI, Failure, StillOpen, Success
from services.payments.domain.refunds import Asking, Unrefundable
from services.payments.tests.test_deciding import (
    AMOUNT,
    NOW,
    after,
    authorised,
    new_payment,
    told,
    with_attempt,
)
from suuupra.money import Money


def paid(minor: int = AMOUNT.minor, tax: int = 7_612) -> Payment:
    payment = told(authorised(with_attempt(new_payment())), Success("T1", AMOUNT))
    return payment.model_copy(update={"amount": Money(minor, "INR"), "tax_minor": tax})


def asking(number: int, minor: int, currency: str = "INR") -> Asking:
    return Asking(UUID(int=number), Money(minor, currency), RefundReason.REQUESTED, "finance")


def requested(payment: Payment, number: int, minor: int) -> Payment:
    return after(payment, refunds.request_refund(payment, asking(number, minor)))


def sent(payment: Payment, number: int = 1, transaction: str = "F1") -> Payment:
    return after(payment, refunds.send_refund(the(payment, number), transaction, NPCI, NOW))


def the(payment: Payment, number: int = 1) -> Refund:
    found = payment.refund(UUID(int=number))
    assert found is not None
    return found


def test_m5_no_more_goes_back_than_was_captured() -> None:
    payment = requested(requested(paid(100, 15), 1, 60), 2, 40)
    assert refunds.request_refund(payment, asking(3, 1)) is Unrefundable.TOO_MUCH
    assert payment.refunding == payment.amount


def test_m4_an_id_with_other_content_is_refused_and_with_the_same_it_is_the_same() -> None:
    payment = requested(paid(100, 15), 1, 60)
    assert refunds.request_refund(payment, asking(1, 60)) == ()
    assert refunds.request_refund(payment, asking(1, 61)) is Unrefundable.ID_REUSED


def test_what_cannot_be_refunded_says_why() -> None:
    assert refunds.request_refund(new_payment(), asking(1, 1)) is Unrefundable.NOT_PAID
    assert refunds.request_refund(paid(), asking(1, 0)) is Unrefundable.NOTHING
    assert refunds.request_refund(paid(), asking(1, -5)) is Unrefundable.NOTHING
    assert refunds.request_refund(paid(), asking(1, 5, "USD")) is Unrefundable.OTHER_CURRENCY


@given(
    minor=st.integers(1, 10**9),
    permille=st.integers(0, 1000),
    cuts=st.lists(st.integers(1, 10**9), max_size=8),
)
def test_m17_the_tax_of_parts_adds_up_to_the_tax_of_the_whole(
    minor: int, permille: int, cuts: list[int]
) -> None:
    payment = paid(minor, minor * permille // 1000)
    for number, cut in enumerate(cuts, 1):
        left = payment.amount.minor - payment.refunding.minor
        if left > 1:
            payment = requested(payment, number, min(cut, left - 1))
    payment = requested(payment, 100, payment.amount.minor - payment.refunding.minor)
    assert sum(it.tax_minor for it in payment.refunds) == payment.tax_minor
    assert all(0 <= it.tax_minor <= it.amount.minor for it in payment.refunds)


def test_a_try_that_failed_is_followed_by_another_under_a_new_transaction() -> None:
    payment = sent(requested(paid(), 1, 100))
    failed = refunds.note_refund_outcome(the(payment), Failure("F1", "XY", "…"), NPCI, NOW)
    payment = after(payment, failed)
    assert refunds.note_refund_outcome(the(payment), Failure("F1", "XY", "…"), NPCI, NOW) == ()
    payment = sent(payment, transaction="F2")
    assert the(payment).transactions == ("F1", "F2")
    done = after(payment, refunds.note_refund_outcome(the(payment), Success("F2"), NPCI, NOW))
    assert done.refunded == Money(100, "INR")


def test_after_the_last_try_the_amount_can_be_refunded_anew() -> None:
    payment = requested(paid(100, 15), 1, 100)
    for number in range(len(NPCI.retry_pauses) + 1):
        payment = sent(payment, transaction=f"F{number}")
        outcome = Failure(f"F{number}", "XY", "…")
        payment = after(payment, refunds.note_refund_outcome(the(payment), outcome, NPCI, NOW))
    assert the(payment).state.kind == "given_up"
    assert requested(payment, 2, 100).refunding == payment.amount


def test_m11_while_a_try_may_still_move_money_no_other_is_made() -> None:
    payment = sent(requested(paid(), 1, 100))
    assert refunds.send_refund(the(payment), "F2", NPCI, NOW) == ()
    payment = after(payment, refunds.follow_refund(the(payment), NPCI, NOW))
    assert the(payment).state.kind == "asked"
    assert refunds.send_refund(the(payment), "F2", NPCI, NOW) == ()


def test_silence_about_a_refund_is_asked_about_three_times() -> None:
    payment, at, seen = sent(requested(paid(), 1, 100)), NOW, []
    for _ in range(8):
        at += timedelta(seconds=90)
        events = refunds.follow_refund(the(payment), NPCI, at)
        seen += [event.type for event in events]
        payment = after(payment, events, at)
    assert seen == ["refund_outcome_unknown", *["refund_outcome_asked"] * 3]
    assert refunds.note_refund_outcome(the(payment), StillOpen("F1", "RB"), NPCI, at) == ()


def test_m5_a_refund_that_was_done_is_not_done_again() -> None:
    payment = sent(requested(paid(), 1, 100))
    payment = after(payment, refunds.note_refund_outcome(the(payment), Success("F1"), NPCI, NOW))
    assert refunds.note_refund_outcome(the(payment), Success("F1"), NPCI, NOW) == ()
    assert refunds.send_refund(the(payment), "F2", NPCI, NOW) == ()
    assert isinstance(payment.refunds[0], Refund)
    assert [event.type for event in after_all(payment)] == []


def after_all(payment: Payment) -> tuple[e.PaymentEvent, ...]:
    return refunds.follow_refund(the(payment), NPCI, NOW)
