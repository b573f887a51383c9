"""What may happen to an order in each of its states; nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.commerce.domain import orders as domain
from services.commerce.domain.orders import (
    Canceled,
    Draft,
    Expired,
    Fulfilled,
    Order,
    Paid,
    PartiallyRefunded,
    PendingPayment,
    Refund,
    Refunded,
    Refused,
    Settled,
    State,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
PAYMENT, OTHER = UUID(int=1), UUID(int=2)
BY = Settled(PAYMENT, NOW, "SU/25-26/000001")
STATES: tuple[State, ...] = (
    Draft(),
    PendingPayment(LATER),
    Paid(BY),
    Fulfilled(BY),
    PartiallyRefunded(BY),
    Refunded(BY),
    Canceled(NOW),
    Expired(NOW),
)


def order(state: State, total: int = 49_900, refunds: tuple[Refund, ...] = ()) -> Order:
    return Order(UUID(int=7), "INR", total, state, refunds)


def names(states: "list[State] | tuple[State, ...]") -> set[str]:
    return {domain.status_of(state) for state in states}


def test_every_state_has_its_name() -> None:
    assert names(STATES) == set(get_args(domain.Status))


def test_a_payment_is_taken_only_while_the_order_waits_for_it() -> None:
    outcomes = {
        domain.status_of(state): domain.decide_payment(order(state), OTHER, 49_900, "INR") for state in STATES
    }
    assert [name for name, outcome in outcomes.items() if outcome == domain.Accept()] == ["pending_payment"]
    assert isinstance(outcomes["draft"], domain.Impossible)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (Expired(NOW), "order_expired"),
        (Canceled(NOW), "order_canceled"),
        (Paid(BY), "already_paid"),
        (Fulfilled(BY), "already_paid"),
        (PartiallyRefunded(BY), "already_paid"),
        (Refunded(BY), "already_paid"),
    ],
)
def test_m21_a_payment_that_the_order_cannot_take_goes_back(state: State, reason: domain.Reason) -> None:
    assert domain.decide_payment(order(state), OTHER, 49_900, "INR") == domain.GiveBack(reason)


def test_m21_a_payment_that_goes_back_already_is_known() -> None:
    refund = Refund(UUID(int=5), OTHER, 49_900, "order_expired")
    known = domain.decide_payment(order(Expired(NOW), refunds=(refund,)), OTHER, 49_900, "INR")
    assert known == domain.Known()


def test_the_payment_that_paid_the_order_is_known() -> None:
    assert domain.decide_payment(order(Fulfilled(BY)), PAYMENT, 49_900, "INR") == domain.Known()


@pytest.mark.parametrize(("amount", "currency"), [(49_899, "INR"), (49_901, "INR"), (49_900, "JPY")])
def test_m21_a_payment_of_another_amount_or_currency_goes_back(amount: int, currency: str) -> None:
    outcome = domain.decide_payment(order(PendingPayment(LATER)), OTHER, amount, currency)
    assert outcome == domain.GiveBack("wrong_amount")


def test_a_refund_that_failed_leaves_the_order_as_it_was_and_its_amount_to_be_refunded() -> None:
    asked = Refund(UUID(int=5), PAYMENT, 49_900, "requested")
    before = order(Fulfilled(BY), refunds=(asked,))
    failed = domain.decide_refund_failed(before, asked.id, NOW)
    assert failed is not None
    assert (failed.state, failed.committed_minor(PAYMENT)) == (before.state, 0)
    assert domain.decide_refund_failed(failed, asked.id, NOW) is None
    assert domain.decide_refund_failed(before, UUID(int=6), NOW) is None
    assert isinstance(domain.decide_refund(failed, None, UUID(int=6)), Refund)


def test_only_what_failed_is_asked_for_again_and_once() -> None:
    asked = Refund(UUID(int=5), PAYMENT, 49_900, "requested")
    assert isinstance(domain.decide_retry(order(Fulfilled(BY), refunds=(asked,)), asked, OTHER), Refused)
    failed = replace(asked, failed_at=NOW)
    again = domain.decide_retry(order(Fulfilled(BY), refunds=(failed,)), failed, OTHER)
    assert again == replace(asked, id=OTHER)
    both = order(Fulfilled(BY), refunds=(failed, replace(asked, id=OTHER)))
    assert isinstance(domain.decide_retry(both, failed, UUID(int=9)), Refused)


def test_what_an_order_could_not_take_is_asked_back_again_once() -> None:
    failed = Refund(UUID(int=5), OTHER, 60_000, "wrong_amount", "JPY", failed_at=NOW)
    again = domain.decide_retry(order(Expired(NOW), refunds=(failed,)), failed, UUID(int=6))
    assert again == replace(failed, id=UUID(int=6), failed_at=None)
    both = order(Expired(NOW), refunds=(failed, replace(failed, id=UUID(int=6), failed_at=None)))
    assert isinstance(domain.decide_retry(both, failed, UUID(int=9)), Refused)


def test_m19_an_order_expires_at_its_instant_and_not_before() -> None:
    pending = order(PendingPayment(LATER))
    assert domain.decide_expiry(pending, LATER - timedelta(microseconds=1)) == LATER
    assert domain.decide_expiry(pending, LATER) == replace(pending, state=Expired(LATER))
    others = [state for state in STATES if not isinstance(state, PendingPayment)]
    assert {domain.decide_expiry(order(state), LATER + timedelta(days=1)) for state in others} == {None}


def test_only_what_is_not_paid_can_be_canceled_and_again_changes_nothing() -> None:
    canceled = [state for state in STATES if not isinstance(domain.decide_cancel(order(state), NOW), Refused)]
    assert names(canceled) == {"draft", "pending_payment", "canceled"}
    before = order(Canceled(NOW))
    assert domain.decide_cancel(before, LATER) is before


def test_m5_only_what_was_paid_is_refunded_and_never_more_than_is_left() -> None:
    granted = [
        state for state in STATES if isinstance(domain.decide_refund(order(state), None, OTHER), Refund)
    ]
    assert names(granted) == {"paid", "fulfilled", "partially_refunded", "refunded"}
    some = (Refund(UUID(int=5), PAYMENT, 40_000, "requested"),)
    assert domain.decide_refund(order(Fulfilled(BY), refunds=some), None, OTHER) == Refund(
        OTHER, PAYMENT, 9_900, "requested"
    )
    for amount in (0, -1, 9_901):
        assert isinstance(domain.decide_refund(order(Fulfilled(BY), refunds=some), amount, OTHER), Refused)


def test_m5_a_refund_that_is_asked_for_counts_before_it_is_carried_out() -> None:
    whole = (Refund(UUID(int=5), PAYMENT, 49_900, "requested"),)
    assert isinstance(domain.decide_refund(order(Fulfilled(BY), refunds=whole), 1, OTHER), Refused)


def test_a_refund_carried_out_changes_the_state_when_it_is_of_the_orders_own_payment() -> None:
    part = domain.decide_refunded(order(Fulfilled(BY)), Refund(OTHER, PAYMENT, 100, "requested"), NOW)
    assert part is not None
    assert (part.order.state, part.full, part.refunded_total_minor) == (PartiallyRefunded(BY), False, 100)
    rest = domain.decide_refunded(part.order, Refund(UUID(int=8), PAYMENT, 49_800, "requested"), NOW)
    assert rest is not None
    assert (rest.order.state, rest.full, rest.refunded_total_minor) == (Refunded(BY), True, 49_900)
    assert domain.decide_refunded(rest.order, Refund(OTHER, PAYMENT, 100, "requested"), NOW) is None


def test_m21_a_refund_of_a_payment_that_was_not_taken_leaves_the_order_as_it_is() -> None:
    back = Refund(UUID(int=5), OTHER, 49_900, "already_paid")
    paid = domain.decide_refunded(order(Fulfilled(BY), refunds=(back,)), back, NOW)
    assert paid is not None
    assert (paid.order.state, paid.full, paid.refund.reason) == (Fulfilled(BY), False, "already_paid")
    late = replace(back, reason="order_expired")
    expired = domain.decide_refunded(order(Expired(NOW), refunds=(late,)), late, NOW)
    assert expired is not None
    assert (expired.order.state, expired.full) == (Expired(NOW), True)


@pytest.mark.parametrize("state", [state for state in STATES if not isinstance(state, PendingPayment)])
def test_what_does_not_wait_for_a_payment_cannot_become_paid(state: State) -> None:
    with pytest.raises(ValueError, match="cannot become paid"):
        domain.decide_paid(order(state), BY)


def test_a_draft_that_costs_nothing_is_paid_without_a_payment() -> None:
    free = order(Draft(), total=0)
    assert domain.decide_fulfilled(domain.decide_paid(free, BY)).state == Fulfilled(BY)
    with pytest.raises(ValueError, match="waits for a payment"):
        domain.decide_placed(free, LATER)
    assert isinstance(domain.decide_refund(replace(free, state=Fulfilled(BY)), None, OTHER), Refused)


class OrderLife(RuleBasedStateMachine):
    """Whatever is tried in whatever order: the money of an order stays within what was paid."""

    def __init__(self) -> None:
        super().__init__()
        self.order = domain.decide_placed(order(Draft()), LATER)
        self.now = NOW
        self.ids = 100
        self.taken = 0
        self.ended: str | None = None

    def _id(self) -> UUID:
        self.ids += 1
        return UUID(int=self.ids)

    @rule(seconds=st.integers(0, 1200))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        outcome = domain.decide_expiry(self.order, self.now)
        if isinstance(outcome, Order):
            self.order = outcome

    @rule()
    def the_buyer_cancels(self) -> None:
        outcome = domain.decide_cancel(self.order, self.now)
        if isinstance(outcome, Order):
            self.order = outcome

    @rule()
    def a_payment_succeeds(self) -> None:
        payment_id = self._id()
        outcome = domain.decide_payment(self.order, payment_id, 49_900, "INR")
        if outcome == domain.Accept():
            self.taken += 1
            self.order = domain.decide_fulfilled(
                domain.decide_paid(self.order, Settled(payment_id, self.now, "SU/25-26/000001"))
            )
        elif isinstance(outcome, domain.GiveBack):
            back = Refund(self._id(), payment_id, 49_900, outcome.reason)
            self.order = replace(self.order, refunds=(*self.order.refunds, back))

    @rule(amount=st.one_of(st.none(), st.integers(-5, 60_000)))
    def support_refunds(self, amount: int | None) -> None:
        outcome = domain.decide_refund(self.order, amount, self._id())
        if isinstance(outcome, Refund):
            self.order = replace(self.order, refunds=(*self.order.refunds, outcome))

    @rule(data=st.data())
    def a_refund_is_carried_out(self, data: st.DataObject) -> None:
        if self.order.refunds:
            refund = data.draw(st.sampled_from(self.order.refunds))
            outcome = domain.decide_refunded(self.order, refund, self.now)
            if outcome is not None:
                self.order = outcome.order

    @invariant()
    def money_is_kept(self) -> None:
        paid = domain.settled(self.order)
        assert self.taken == (0 if paid is None else 1)
        assert len({refund.id for refund in self.order.refunds}) == len(self.order.refunds)
        if paid is not None:
            back = self.order.refunded_minor(paid.payment_id)
            assert back <= self.order.committed_minor(paid.payment_id) <= 49_900
            assert isinstance(self.order.state, Refunded) == (back == 49_900)

    @invariant()
    def what_ended_stays_ended(self) -> None:
        status = domain.status_of(self.order.state)
        if self.ended is not None:
            assert status == self.ended
        if status in ("expired", "canceled", "refunded"):
            self.ended = status


OrderLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOrderLife = OrderLife.TestCase


@given(st.lists(st.integers(1, 49_900), max_size=20))
def test_m5_however_refunds_are_cut_they_never_exceed_what_was_paid(amounts: list[int]) -> None:
    current = order(Fulfilled(BY))
    for number, amount in enumerate(amounts):
        decided = domain.decide_refund(current, amount, UUID(int=1000 + number))
        if isinstance(decided, Refund):
            current = replace(current, refunds=(*current.refunds, decided))
    assert current.committed_minor(PAYMENT) <= 49_900
