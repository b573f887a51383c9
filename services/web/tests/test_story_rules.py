"""How a story is put together and drawn, without any I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.content.contract import Right
from services.notifications.contract import Kind, Message, MessageState
from services.payments import contract as payments
from services.upi_core import contract as upi
from services.web.api.filters import instant, lasted
from services.web.domain.story import Lane, Missing, Moment, drawing, paying, tellers, told
from suuupra.money import Money

START = datetime(2026, 11, 30, 7, 0, 0, 250_000, tzinfo=UTC)
ORDER, COURSE = UUID(int=1), UUID(int=2)


def at(ms: int) -> datetime:
    return START + timedelta(milliseconds=ms)


def moment(ms: int, lane: str, what: str = "x", came_from: str | None = None, **ids: str) -> Moment:
    return Moment(at(ms), lane, lane, what, what.capitalize(), came_from, ids=ids)


def test_steps_are_in_the_order_of_time_with_what_lies_between() -> None:
    made = told(ORDER, "SO-1", [moment(30, "ledger"), moment(0, "commerce"), moment(10, "payments")], ())
    assert [(it.number, it.moment.lane, it.since_first, it.since_last) for it in made.steps] == [
        (1, "commerce", timedelta(0), timedelta(0)),
        (2, "payments", timedelta(milliseconds=10), timedelta(milliseconds=10)),
        (3, "ledger", timedelta(milliseconds=30), timedelta(milliseconds=20)),
    ]


def test_what_happened_at_one_time_stays_in_the_order_it_was_told_in() -> None:
    made = told(
        ORDER, None, [moment(5, "commerce", "a"), moment(5, "payments", "b"), moment(5, "ledger", "c")], ()
    )
    assert [it.moment.what for it in made.steps] == ["a", "b", "c"]


def test_of_what_happened_at_one_time_the_cause_comes_first() -> None:
    heard = moment(5, "commerce", "heard", came_from="payments")
    got, sent = (
        moment(5, "payments", "got", came_from="upi-core"),
        moment(5, "payments", "sent", came_from="commerce"),
    )
    made = told(ORDER, None, [heard, got, sent], ())
    assert [it.moment.what for it in made.steps] == ["got", "heard", "sent"]


def test_an_effect_that_a_clock_shows_a_little_before_its_cause_comes_after_it_in_no_time() -> None:
    paid, journal = moment(50, "payments", "attempt_succeeded"), moment(20, "ledger", "journal", "payments")
    heard, opened = moment(48, "commerce", "order.paid"), moment(40, "content", "access.unlocked", "commerce")
    made = told(ORDER, None, [moment(0, "learner", "tap"), journal, opened, heard, paid], ())
    ms = timedelta(milliseconds=1)
    assert [(it.moment.what, it.since_first / ms, it.since_last / ms) for it in made.steps] == [
        ("tap", 0, 0), ("order.paid", 48, 48), ("access.unlocked", 48, 0), ("attempt_succeeded", 50, 2), ("journal", 50, 0),
    ]  # fmt: skip


def test_an_effect_of_an_effect_comes_after_both() -> None:
    locked, heard = moment(1, "content", "access.locked", "commerce"), moment(2, "commerce", "order.refunded")
    made = told(ORDER, None, [locked, heard, moment(3, "payments", "refund_succeeded")], ())
    assert [it.moment.what for it in made.steps] == ["refund_succeeded", "order.refunded", "access.locked"]


def test_what_is_much_earlier_than_the_next_that_could_have_caused_it_came_of_something_else() -> None:
    journal = moment(0, "ledger", "journal", came_from="payments")
    made = told(ORDER, None, [moment(101, "payments", "attempt_succeeded"), journal], ())
    assert [it.moment.what for it in made.steps] == ["journal", "attempt_succeeded"]


def test_a_story_of_which_nothing_could_be_read_has_no_steps() -> None:
    gap = Missing("ledger", "It did not answer in time.", "Reload.")
    made = told(ORDER, None, [], [gap])
    assert (made.steps, made.spans, made.lanes) == ((), (), (Lane("ledger", "Ledger", missing=True),))
    assert gap.name == "The ledger"


def test_lanes_are_those_that_are_used_and_the_payers_bank_comes_first() -> None:
    moments = [
        moment(0, "commerce", came_from="learner"), moment(2, "bank:cedar", came_from="upi-core"),
        moment(3, "bank:asha", came_from="upi-core"),
    ]  # fmt: skip
    made = told(ORDER, None, moments, [Missing("notifications", "", "")])
    assert [it.name for it in made.lanes] == ["Learner", "Commerce", "Switch", "Cedar", "Asha", "Mail"]
    assert [it.key for it in made.lanes if it.missing] == ["notifications"]


def test_spans_are_measured_from_the_last_beginning_before_the_end() -> None:
    moments = [
        moment(0, "commerce", "order.created"), moment(100, "payments", "method_chosen"),
        moment(200, "upi-core", "upi.requested"), moment(5000, "upi-core", "upi.requested"),
        moment(5120, "payments", "attempt_succeeded"), moment(5150, "ledger", "journal"),
        moment(9000, "upi-core", "upi.requested"),
    ]  # fmt: skip
    spans = {it.name: it.lasted / timedelta(milliseconds=1) for it in told(ORDER, None, moments, ()).spans}
    assert spans == {
        "Ordered, until the learner began to pay": 100,
        "Approved on the phone, until the money was there": 120,
        "From the money to the journal": 30,
    }


def test_ids_are_gathered_each_once_under_one_name() -> None:
    moments = [
        moment(0, "commerce", rrn="7", order_id="o"),
        moment(1, "ledger", rrn="7"),
        moment(2, "upi-core", rrn="8"),
    ]
    assert told(ORDER, None, moments, ()).ids == {"order_id": ("o",), "rrn": ("7", "8")}


def test_arrows_lead_from_where_something_came_to_where_it_is() -> None:
    lanes = [Lane("commerce", "Commerce"), Lane("payments", "Payments")]
    assert drawing.places(lanes) == {"commerce": "25.00%", "payments": "75.00%"}
    assert drawing.row(lanes, moment(0, "payments", came_from="commerce")) == drawing.Row(
        "75.00%", "25.00%", "right"
    )
    assert drawing.row(lanes, moment(0, "commerce", came_from="payments")) == drawing.Row(
        "25.00%", "75.00%", "left"
    )
    assert drawing.row(lanes, moment(0, "commerce", came_from="commerce")) == drawing.Row("25.00%")
    assert drawing.row(lanes, moment(0, "commerce")) == drawing.Row("25.00%")


LEG = upi.LegView(leg="DEBIT", bank="banyan", sent_at=at(10), answered_at=at(15), code="00", approval="A1")
TXN = upi.TransactionView(
    id="SUU1", rrn="600112345678", type="PAY", state="success", code="00", meaning="Done.",
    amount=Money(49900, "INR"), note="", ref_id="R1", org_txn_id=None,
    payer=upi.SideView(vpa="meera@banyan", name="Meera", bank="banyan"),
    payee=upi.SideView(vpa="suuupra@asha", name="Suuupra", bank="asha"), payee_psp="suuupra", created_at=at(0),
    legs=[LEG], disputes=[], refunds=[],
    timeline=[
        upi.TimelineEntry(at=at(0), note="requested", state="initiated", code=None, detail={"from": "banyan", "amount": 1}),
        upi.TimelineEntry(at=at(15), note="debited", state="debited", code=None, detail={}),
        upi.TimelineEntry(at=at(90), note="credit timed out", state="deemed", code="RB", detail={}),
    ],
)  # fmt: skip


def test_a_banks_answer_is_told_once_and_the_payers_address_is_not_told() -> None:
    found = list(paying.of_transaction(TXN))
    assert [(it.what, it.came_from, it.lane) for it in found] == [
        ("upi.requested", "learner", "upi-core"),
        ("upi.credit_timed_out", None, "upi-core"),
        ("upi.debit.sent", "upi-core", "bank:banyan"),
        ("upi.debit.answered", "bank:banyan", "upi-core"),
    ]
    assert found[0].text == "Payment of ₹499.00 from me…@banyan to suuupra@asha"
    assert (found[1].tone, found[1].text[-4:]) == ("wait", "(RB)")
    assert found[3].ids["approval"] == "A1"


def test_a_leg_that_a_bank_refused_or_has_not_answered_says_so() -> None:
    refused = LEG.model_copy(update={"code": "Z9", "approval": None})
    silent = LEG.model_copy(update={"answered_at": None, "code": None})
    found = list(paying.of_transaction(TXN.model_copy(update={"legs": [refused]})))
    assert (found[-1].text, found[-1].tone) == ("Banyan bank refuses the debit (Z9)", "bad")
    assert "upi.debited" in [it.what for it in found]
    assert list(paying.of_transaction(TXN.model_copy(update={"legs": [silent]})))[-1].what == "upi.debit.sent"


def test_every_event_of_a_payment_has_words_and_one_that_is_new_is_shown_all_the_same() -> None:
    entries = [
        payments.TimelineEntry(
            at=at(0), kind="event", what="method_chosen", details={"attempt": 2, "method": "upi_qr"}
        ),
        payments.TimelineEntry(
            at=at(1),
            kind="event",
            what="attempt_failed",
            details={"attempt": 2, "code": "ZM", "reason": "Wrong PIN."},
        ),
        payments.TimelineEntry(
            at=at(2), kind="message_out", what="RespAuthDetails", details={"attempts": 3, "id": "m"}
        ),
        payments.TimelineEntry(at=at(3), kind="event", what="something_new", details={}),
    ]
    found = list(paying.of_payment(payments.Timeline(payment_id=ORDER, items=entries)))
    assert [it.text for it in found] == [
        "Attempt 2 begun by QR code",
        "Attempt 2 failed: Wrong PIN (ZM)",
        "RespAuthDetails sent to the switch, 3 times",
        "Something new",
    ]
    assert {it.ids["payment_id"] for it in found} == {str(ORDER)}


def test_access_that_is_older_than_the_order_is_not_of_its_story() -> None:
    rights = [Right(course_id=COURSE, unlocked=False, unlocked_at=at(-5), locked_at=at(7))]
    (one,) = tellers.of_access(rights, {COURSE: "Rust"}, START)
    assert (one.what, one.text) == ("access.locked", "Rust: the lessons are locked again")


def message(state: MessageState, sent: datetime | None = None, kind: Kind = "order_paid") -> Message:
    return Message(
        id=ORDER, channel="email", kind=kind, state=state, attempts=2, created_at=at(0), sent_at=sent, read_at=None,
        refusal="550 no such user" if state == "refused" else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "tone", "words"),
    [
        ("due", "wait", "Mail: receipt, which is about to be sent"),
        ("unwanted", "plain", "Mail: receipt, which is not sent: the learner does not want it"),
        ("off", "plain", "Mail: receipt, which is not sent: mail of this kind is off"),
        ("refused", "bad", "Mail: receipt, which was refused by the mail server"),
    ],
)
def test_a_mail_that_was_not_sent_says_why(state: MessageState, tone: str, words: str) -> None:
    (one,) = tellers.of_messages([message(state)])
    assert (one.tone, one.text, bool(one.lines)) == (tone, words, state == "refused")


def test_a_mail_that_was_sent_goes_to_the_learner() -> None:
    written, sent = tellers.of_messages([message("sent", at(80))])
    assert (written.lane, sent.lane, sent.came_from) == ("notifications", "learner", "notifications")
    assert sent.text == "Mail handed to the mail server: receipt, at try 2"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 ms"), (12.4, "12 ms"), (999, "999 ms"), (1234, "1.234 s"), (59_999, "59.999 s"), (60_000, "1 min"),
        (125_000, "2 min 5 s"), (3_600_000, "1 h"), (7_320_000, "2 h 2 min"), (180_000_000, "2 d 2 h"),
    ],
)  # fmt: skip
def test_durations_are_written_for_people(ms: float, words: str) -> None:
    assert lasted(timedelta(milliseconds=ms)) == words


def test_times_are_written_to_the_millisecond() -> None:
    assert instant(START) == '<time datetime="2026-11-30T07:00:00.250+00:00">07:00:00.250</time>'
