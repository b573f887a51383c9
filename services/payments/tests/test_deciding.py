"""What is decided about attempts, without a database: every state, every refusal."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.payments.domain import attempts
from services.payments.domain import events as e
from services.payments.domain.attempts import Begin, Contradiction, Decline, GiveAgain, Refusal
from services.payments.domain.events import CancelReason, Method, PaymentEvent
from services.payments.domain.folding import BrokenHistory, apply, fold
from services.payments.domain.payment import Payment, Receipt, Status
from services.payments.domain.rails import NPCI, Failure, Outcome, StillOpen, Success
from suuupra.money import Money

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AMOUNT = Money(49_900, "INR")
PAYER = "asha.rao@asha"
LINK = "upi://pay?pa=suuupra@cedar"


def new_payment() -> Payment:
    created = e.Created(
        payment_id=UUID(int=1),
        order_id=UUID(int=2),
        order_number="S-1",
        user_id=UUID(int=3),
        amount=AMOUNT,
        tax_minor=7_612,
        payable_until=NOW + timedelta(minutes=15),
    )
    return fold([(created, NOW)])


def after(payment: Payment, events: object, at: datetime = NOW) -> Payment:
    assert isinstance(events, tuple), events
    for event in events:
        payment = apply(payment, event, at)
    return payment


def with_attempt(payment: Payment, at: datetime = NOW) -> Payment:
    begun = attempts.begin_attempt(payment, Method.UPI_QR, "upi", NPCI, f"R{len(payment.attempts)}", at)
    assert isinstance(begun, Begin)
    payment = after(payment, begun.events, at)
    return after(payment, (e.ActionRequired(attempt=len(payment.attempts), link=LINK),), at)


def authorised(payment: Payment, transaction: str = "T1", at: datetime = NOW) -> Payment:
    number = len(payment.attempts)
    decided = attempts.judge_authorisation(payment, number, AMOUNT, transaction, PAYER, NPCI, at)
    return after(payment, decided, at)


def told(payment: Payment, outcome: Outcome, at: datetime = NOW) -> Payment:
    return after(payment, attempts.note_outcome(payment, len(payment.attempts), outcome, NPCI, at), at)


def test_the_way_of_a_payment_that_succeeds() -> None:
    payment = new_payment()
    assert payment.status is Status.REQUIRES_PAYMENT_METHOD
    begun = attempts.begin_attempt(payment, Method.UPI_QR, "upi", NPCI, "R", NOW)
    assert isinstance(begun, Begin)
    payment = after(payment, begun.events)
    assert payment.status is Status.REQUIRES_CONFIRMATION
    payment = after(payment, (e.ActionRequired(attempt=1, link=LINK),))
    assert payment.status is Status.REQUIRES_ACTION
    payment = authorised(payment)
    assert payment.status is Status.PROCESSING
    assert told(payment, Success("T1", AMOUNT)).status is Status.SUCCEEDED


def test_an_open_attempt_is_given_to_another_tab_until_it_is_nearly_over() -> None:
    payment = with_attempt(new_payment())
    again = attempts.begin_attempt(payment, Method.UPI_QR, "upi", NPCI, "R2", NOW)
    assert again == GiveAgain(payment.attempts[0])
    late = payment.attempts[0].expires_at - timedelta(seconds=29)
    assert isinstance(attempts.begin_attempt(payment, Method.UPI_QR, "upi", NPCI, "R2", late), Begin)


def test_another_method_closes_the_open_attempt() -> None:
    payment = with_attempt(new_payment())
    begun = attempts.begin_attempt(payment, Method.UPI_INTENT, "upi", NPCI, "R2", NOW)
    assert isinstance(begun, Begin)
    assert [event.type for event in begun.events] == ["attempt_closed", "method_chosen"]


def test_no_attempt_while_money_may_move_and_none_after_the_end() -> None:
    flying = authorised(with_attempt(new_payment()))

    def begin(payment: Payment, at: datetime = NOW) -> object:
        return attempts.begin_attempt(payment, Method.UPI_QR, "upi", NPCI, "R2", at)

    assert begin(flying) is Refusal.IN_FLIGHT
    assert begin(told(flying, Success("T1", AMOUNT))) is Refusal.SUCCEEDED
    assert (
        begin(after(new_payment(), attempts.cancel(new_payment(), CancelReason.REQUESTED)))
        is Refusal.CANCELED
    )
    assert begin(new_payment(), NOW + timedelta(minutes=15)) is Refusal.TOO_LATE


def test_twenty_attempts_are_enough() -> None:
    payment = new_payment()
    for number in range(attempts.MOST_ATTEMPTS):
        payment = authorised(with_attempt(payment), f"T{number}")
        payment = told(payment, Failure(f"T{number}", "ZM", "The PIN was wrong."))
    assert attempts.begin_attempt(payment, Method.UPI_QR, "upi", NPCI, "R", NOW) is Refusal.TOO_MANY


@pytest.mark.parametrize(
    ("amount", "at", "expected"),
    [
        (Money(49_901, "INR"), NOW, Decline.WRONG_AMOUNT),
        (Money(1, "INR"), NOW, Decline.WRONG_AMOUNT),
        (AMOUNT, NOW + timedelta(minutes=5), Decline.EXPIRED),
    ],
)
def test_only_the_right_amount_in_time_is_taken(amount: Money, at: datetime, expected: Decline) -> None:
    payment = with_attempt(new_payment())
    assert attempts.judge_authorisation(payment, 1, amount, "T1", PAYER, NPCI, at) is expected


def test_one_transaction_is_authorised_and_asked_again_it_still_is() -> None:
    payment = authorised(with_attempt(new_payment()))
    assert attempts.judge_authorisation(payment, 1, AMOUNT, "T1", PAYER, NPCI, NOW) == ()
    assert (
        attempts.judge_authorisation(payment, 1, AMOUNT, "T2", PAYER, NPCI, NOW) is Decline.ANOTHER_IN_FLIGHT
    )
    paid = told(payment, Success("T1", AMOUNT))
    assert attempts.judge_authorisation(paid, 1, AMOUNT, "T2", PAYER, NPCI, NOW) is Decline.NOT_PAYABLE


def test_silence_is_unresolved_then_asked_three_times_and_never_a_failure() -> None:
    payment, at = authorised(with_attempt(new_payment())), NOW
    seen = []
    for _ in range(8):
        at += NPCI.first_check
        events = attempts.follow_attempt(payment, 1, NPCI, at)
        seen += [event.type for event in events]
        payment = after(payment, events, at)
    assert seen == ["outcome_unknown", "outcome_asked", "outcome_asked", "outcome_asked"]
    assert payment.status is Status.PROCESSING
    assert payment.attempts[0].state.kind == "unresolved"
    assert told(payment, Success("T1", AMOUNT)).status is Status.SUCCEEDED, "a late answer still counts"


def test_nothing_is_asked_after_two_hours() -> None:
    payment = authorised(with_attempt(new_payment()))
    late = NOW + timedelta(hours=2, seconds=1)
    payment = after(payment, attempts.follow_attempt(payment, 1, NPCI, late), late)
    assert attempts.follow_attempt(payment, 1, NPCI, late) == ()


def test_deemed_is_pending_and_is_resolved_either_way() -> None:
    deemed = told(authorised(with_attempt(new_payment())), StillOpen("T1", "RB"))
    assert deemed.attempts[0].state.kind == "pending"
    assert deemed.status is Status.PROCESSING
    assert told(deemed, Success("T1", AMOUNT)).status is Status.SUCCEEDED
    assert told(deemed, Failure("T1", "U31", "…")).status is Status.REQUIRES_PAYMENT_METHOD
    assert attempts.note_outcome(deemed, 1, StillOpen("T1", "RB"), NPCI, NOW) == ()


def test_m21_an_order_that_ends_while_money_moves_waits_for_how_that_ends() -> None:
    flying = authorised(with_attempt(new_payment()))
    assert attempts.cancel(flying, CancelReason.REQUESTED) is Refusal.IN_FLIGHT
    wanted = after(flying, attempts.cancel(flying, CancelReason.ORDER_EXPIRED))
    assert wanted.status is Status.PROCESSING
    assert told(wanted, Success("T1", AMOUNT)).status is Status.SUCCEEDED
    assert told(wanted, Failure("T1", "Z9", "…")).status is Status.CANCELED


def test_m21_money_that_comes_after_the_end_is_taken_in_to_be_given_back() -> None:
    payment = with_attempt(new_payment())
    payment = after(payment, attempts.cancel(payment, CancelReason.ORDER_EXPIRED))
    assert payment.status is Status.CANCELED
    assert told(payment, Success("T9", AMOUNT, PAYER)).status is Status.SUCCEEDED


def test_m5_of_two_successes_one_is_the_payment_and_the_other_a_surplus() -> None:
    payment = told(authorised(with_attempt(new_payment())), Failure("T1", "ZM", "…"))
    payment = told(authorised(with_attempt(payment), "T2"), Success("T2", AMOUNT))
    late = attempts.note_outcome(payment, 1, Success("T1", AMOUNT, PAYER), NPCI, NOW)
    assert isinstance(late, tuple)
    assert [event.type for event in late] == ["surplus_received"]
    payment = after(payment, late)
    assert attempts.note_outcome(payment, 1, Success("T1", AMOUNT, PAYER), NPCI, NOW) == ()
    assert payment.success == payment.attempts[1]
    assert payment.receipt() == Receipt(rail="upi", transaction="T2", payer=PAYER, link=LINK)
    assert payment.receipt("T1") == Receipt(rail="upi", transaction="T1", payer=PAYER, link=LINK)


def test_what_cannot_be_is_a_contradiction_and_changes_nothing() -> None:
    flying = authorised(with_attempt(new_payment()))
    paid = told(flying, Success("T1", AMOUNT))
    said: list[tuple[Payment, Outcome]] = [
        (flying, Success("T1", Money(100, "INR"))),
        (flying, Success("T2", AMOUNT)),
        (paid, Failure("T1", "Z9", "…")),
    ]
    for payment, outcome in said:
        assert isinstance(attempts.note_outcome(payment, 1, outcome, NPCI, NOW), Contradiction)


def test_a_history_that_was_written_by_hand_is_refused() -> None:
    closed = e.AttemptExpired(attempt=1)
    with pytest.raises(BrokenHistory):
        fold([(closed, NOW)])
    with pytest.raises(BrokenHistory):
        fold([])
    with pytest.raises(BrokenHistory):
        after(with_attempt(new_payment()), (e.OutcomeUnknown(attempt=1, check_at=NOW),))


def test_every_event_is_read_back_as_it_was_written() -> None:
    event: PaymentEvent = e.AuthorisationGiven(attempt=1, transaction="T1", payer=PAYER, follow_at=NOW)
    text = e.canonical(event)
    assert e.parse(text) == event
    assert e.canonical(e.parse(text)) == text
    assert text.startswith('{"attempt":1,"follow_at":"2026-01-01T00:00:00Z"')
