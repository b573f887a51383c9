"""Whatever happens, in whatever order and however often: a payment stays within its rules (hypothesis)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.payments.domain import attempts, refunds
from services.payments.domain import events as e
from services.payments.domain.attempts import Begin
from services.payments.domain.events import CancelReason, Method, PaymentEvent, RefundReason
from services.payments.domain.folding import apply, fold
from services.payments.domain.payment import TRANSITIONS, GivenUp, Payment, Refunded
from services.payments.domain.rails import NPCI, Failure, Outcome, StillOpen, Success
from services.payments.domain.reactions import Publish, react
from services.payments.domain.refunds import Asking
from services.payments.tests.test_deciding import NOW, PAYER
from suuupra.money import Money

transactions = st.sampled_from([f"T{number}" for number in range(6)])


class LifeOfAPayment(RuleBasedStateMachine):
    """Everybody does whatever they like; only decisions add events."""

    @initialize(minor=st.integers(1, 1_000_000), tax=st.integers(0, 1_000_000), data=st.data())
    def begin(self, minor: int, tax: int, data: Any) -> None:
        self.now = NOW
        self.published: list[str] = []
        created = e.Created(
            payment_id=UUID(int=1),
            order_id=UUID(int=2),
            order_number="S-1",
            user_id=UUID(int=3),
            amount=Money(minor, "INR"),
            tax_minor=min(tax, minor),
            payable_until=NOW + timedelta(minutes=15),
        )
        self.history: list[tuple[PaymentEvent, Any]] = [(created, NOW)]
        self.payment: Payment = fold(self.history)

    def record(self, decided: object) -> None:
        """Add what was decided, if it was events."""
        if not isinstance(decided, tuple):
            return
        for event in decided:
            before = self.payment.status
            self.payment = apply(self.payment, event, self.now)
            after = self.payment.status
            assert after is before or after in TRANSITIONS[before], f"{before} → {after} by {event.type}"
            self.history.append((event, self.now))
            self.published += [
                it.event.type for it in react(self.payment, event, self.now) if isinstance(it, Publish)
            ]

    @rule(method=st.sampled_from(Method))
    def start(self, method: Method) -> None:
        begun = attempts.begin_attempt(
            self.payment, method, "upi", NPCI, f"R{len(self.payment.attempts)}", self.now
        )
        if isinstance(begun, Begin):
            self.record(begun.events)
            self.record((e.ActionRequired(attempt=len(self.payment.attempts), link="upi://pay?x"),))

    @rule(transaction=transactions, data=st.data(), wrong=st.booleans())
    def authorise(self, transaction: str, data: Any, wrong: bool) -> None:
        if self.payment.attempts:
            number = data.draw(st.integers(1, len(self.payment.attempts)))
            amount = self.payment.amount + Money(int(wrong), "INR")
            self.record(
                attempts.judge_authorisation(self.payment, number, amount, transaction, PAYER, NPCI, self.now)
            )

    @rule(data=st.data())
    def pay_again(self, data: Any) -> None:
        if self.payment.attempts:
            number = data.draw(st.integers(1, len(self.payment.attempts)))
            self.record(attempts.revive(self.payment, number, self.now))

    @rule(transaction=transactions, data=st.data(), kind=st.integers(0, 2))
    def outcome(self, transaction: str, data: Any, kind: int) -> None:
        if self.payment.attempts:
            number = data.draw(st.integers(1, len(self.payment.attempts)))
            said = _said(kind, transaction)
            decided = attempts.note_outcome(self.payment, number, said, NPCI, self.now)
            self.record(decided)
            self.return_surpluses(decided)

    def return_surpluses(self, decided: object) -> None:
        """As usecases.refunding does in the same transaction."""
        for event in decided if isinstance(decided, tuple) else ():
            if isinstance(event, e.SurplusReceived):
                number = UUID(int=100 + len(self.payment.surpluses))
                asking = Asking(
                    number, self.payment.amount, RefundReason.PAID_TWICE, "payments", event.transaction
                )
                self.record(refunds.request_refund(self.payment, asking))

    @rule(number=st.integers(1, 4), part=st.integers(1, 200))
    def refuse(self, number: int, part: int) -> None:
        asking = Asking(UUID(int=number), self.payment.amount * part, RefundReason.REQUESTED, "commerce")
        why = refunds.request_refund(self.payment, asking)
        if isinstance(why, refunds.Unrefundable) and why in refunds.REFUSED:
            self.record(refunds.refuse_refund(asking, why))

    @rule(number=st.integers(1, 6), again=st.integers(200, 210))
    def retry(self, number: int, again: int) -> None:
        if len(self.payment.refunds) >= number:
            asking = refunds.ask_anew(self.payment.refunds[number - 1], UUID(int=again), "finance")
            if asking is not None:
                self.record(refunds.request_refund(self.payment, asking))

    @rule(data=st.data())
    def timers(self, data: Any) -> None:
        if self.payment.attempts:
            number = data.draw(st.integers(1, len(self.payment.attempts)))
            self.record(attempts.expire_attempt(self.payment, number, self.now))
            self.record(attempts.follow_attempt(self.payment, number, NPCI, self.now))

    @rule(seconds=st.integers(-3600, 3600))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(why=st.sampled_from(CancelReason))
    def cancel(self, why: CancelReason) -> None:
        self.record(attempts.cancel(self.payment, why))

    @rule(number=st.integers(1, 4), part=st.integers(1, 100))
    def refund(self, number: int, part: int) -> None:
        minor = max(1, self.payment.amount.minor * part // 100)
        asking = Asking(UUID(int=number), Money(minor, "INR"), RefundReason.REQUESTED, "somebody")
        self.record(refunds.request_refund(self.payment, asking))

    @rule(number=st.integers(1, 8), kind=st.integers(0, 2), transaction=transactions, send=st.booleans())
    def refund_goes_on(self, number: int, kind: int, transaction: str, send: bool) -> None:
        known = self.payment.refunds
        refund = known[number - 1] if len(known) >= number else None
        if refund is not None and send:
            self.record(
                refunds.send_refund(refund, f"F{refund.id}-{len(refund.transactions)}", NPCI, self.now)
            )
        elif refund is not None:
            asked = refund.transactions[-1] if refund.transactions else transaction
            self.record(refunds.note_refund_outcome(refund, _said(kind, asked), NPCI, self.now))
            self.record(refunds.follow_refund(self.payment.refund(refund.id) or refund, NPCI, self.now))

    @invariant()
    def no_more_goes_back_than_came(self) -> None:
        if not hasattr(self, "payment"):
            return
        counted = [it for it in self.payment.refunds if it.counts and it.surplus is None]
        assert sum(it.amount.minor for it in counted) <= self.payment.amount.minor
        assert sum(it.tax_minor for it in counted) <= self.payment.tax_minor
        assert all(0 <= it.tax_minor <= it.amount.minor for it in self.payment.refunds)
        if self.payment.refunding == self.payment.amount:
            assert sum(it.tax_minor for it in counted) == self.payment.tax_minor

    @invariant()
    def each_thing_is_told_once(self) -> None:
        if hasattr(self, "payment"):
            assert self.published.count("payment.succeeded") == int(self.payment.success is not None)
            done = [it for it in self.payment.refunds if isinstance(it.state, Refunded)]
            own = [it for it in done if it.surplus is None]
            assert self.published.count("payment.refunded") == len(own)
            assert self.published.count("surplus.returned") == len(done) - len(own)
            assert self.published.count("surplus.received") == len(self.payment.surpluses)
            failed = [it for it in self.payment.refunds if isinstance(it.state, GivenUp)]
            assert self.published.count("refund.failed") == len(failed)
            for surplus in self.payment.surpluses:
                back = [it for it in self.payment.refunds if it.surplus == surplus.transaction and it.counts]
                assert len(back) <= 1

    @invariant()
    def m14_the_events_make_the_same_payment_again(self) -> None:
        if hasattr(self, "payment"):
            kept = [(e.parse(e.canonical(event)), at) for event, at in self.history]
            assert e.canonical(fold(kept)) == e.canonical(self.payment)
            assert Payment.model_validate_json(e.canonical(self.payment)) == self.payment


def _said(kind: int, transaction: str) -> Outcome:
    said: list[Outcome] = [
        Success(transaction, None, PAYER, "123456789012"),
        Failure(transaction, "Z9", "There is not enough money in the account."),
        StillOpen(transaction, "RB"),
    ]
    return said[kind]


TestLifeOfAPayment = LifeOfAPayment.TestCase
