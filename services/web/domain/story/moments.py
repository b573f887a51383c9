"""What a story is made of, and how it is put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Literal
from uuid import UUID

Tone = Literal["plain", "good", "bad", "wait"]
LEARNER: Final = "learner"
BANK: Final = "bank:"
"""Before a bank's code: its lane."""
_NAMES: Final[Mapping[str, str]] = {
    LEARNER: "Learner",
    "commerce": "Commerce",
    "payments": "Payments",
    "upi-core": "Switch",
    "ledger": "Ledger",
    "content": "Content",
    "notifications": "Mail",
}
_BEFORE_BANKS: Final = (LEARNER, "commerce", "payments", "upi-core")
_AFTER_BANKS: Final = ("ledger", "content", "notifications")
_RECORDS: Final[Mapping[str, str]] = {
    "commerce": "Commerce",
    "payments": "Payments",
    "upi-core": "The UPI switch",
    "ledger": "The ledger",
    "content": "Content",
    "notifications": "Notifications",
}


@dataclass(frozen=True)
class Moment:
    """Something that happened: in which lane, and from which it came where that is another.

    `what` is for programs, `text` a sentence, `lines` more of them; `ids` by name. `by` is the service that tells it.
    """

    at: datetime
    by: str
    lane: str
    what: str
    text: str
    came_from: str | None = None
    tone: Tone = "plain"
    ids: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """A part that could not be read: of which service, why, and what to do."""

    service: str
    why: str
    fix: str

    @property
    def name(self) -> str:
        """The service as people call it."""
        return _RECORDS[self.service]


@dataclass(frozen=True)
class Step:
    """A moment in its place: how long after the first, and after the one before it."""

    number: int
    moment: Moment
    since_first: timedelta
    since_last: timedelta


@dataclass(frozen=True)
class Lane:
    """A column of the picture. `missing`: what should be in it could not be read."""

    key: str
    name: str
    missing: bool = False


@dataclass(frozen=True)
class Span:
    """How long it was from one thing to another."""

    name: str
    lasted: timedelta


@dataclass(frozen=True)
class Story:
    """All of it, the earliest first."""

    order_id: UUID
    number: str | None
    steps: tuple[Step, ...]
    lanes: tuple[Lane, ...]
    spans: tuple[Span, ...]
    missing: tuple[Missing, ...]
    ids: Mapping[str, tuple[str, ...]]


def told(order_id: UUID, number: str | None, moments: Iterable[Moment], missing: Iterable[Missing]) -> Story:
    """The story that moments make: by time, but for what seems to have happened before what it came of."""
    ordered, gaps = _in_order(list(moments)), tuple(missing)
    return Story(
        order_id,
        number,
        tuple(_steps(ordered)),
        tuple(_lanes(ordered, gaps)),
        tuple(_spans(ordered)),
        gaps,
        _ids(ordered),
    )


_SKEW: Final = timedelta(milliseconds=100)
"""How far two services' clocks may differ, on machines that keep time, without a story that is turned round."""
_MONEY: Final = "attempt_succeeded"
_CAUSES: Final[Mapping[str, frozenset[str]]] = {
    "created": frozenset({"order.created"}),
    "message_in.ReqAuthDetails": frozenset({"upi.requested"}),
    "upi.authorised": frozenset({"message_out.RespAuthDetails"}),
    "message_in.ReqTxnConfirmation": frozenset({"upi.credit.answered"}),
    "payment.succeeded": frozenset({_MONEY}),
    "journal": frozenset({_MONEY, "refund_succeeded"}),
    "access.unlocked": frozenset({"order.paid"}),
    "inbox.order_paid": frozenset({"order.paid"}),
    "mail.order_paid": frozenset({"order.paid"}),
    "refund_requested": frozenset({"refund.requested"}),
    "order.refunded": frozenset({"refund_succeeded"}),
    "access.locked": frozenset({"order.refunded"}),
}
"""Of what something in one service came in another, by what both are called; none is its own cause, however far back."""


def _in_order(moments: Sequence[Moment]) -> list[Moment]:
    """The earliest first. An effect that is less than the skew before its cause has its place at the cause's."""

    def place(moment: Moment) -> datetime:
        causes = _CAUSES.get(moment.what, frozenset())
        later = (it for it in moments if it.what in causes and moment.at < it.at <= moment.at + _SKEW)
        return min((place(it) for it in later), default=moment.at)

    by_place = groupby(sorted(moments, key=place), key=place)
    return [moment for _, together in by_place for moment in _caused(list(together))]


def _caused(left: list[Moment]) -> Iterator[Moment]:
    """Moments of one place: what comes from a lane after what is in it, the rest in the order they were given in."""

    def waits(moment: Moment) -> bool:
        causes = _CAUSES.get(moment.what, frozenset())
        return any(
            it.what in causes or (it.lane == moment.came_from and it.came_from != moment.lane) for it in left
        )

    while left:
        following = next((it for it in left if not waits(it)), left[0])
        left.remove(following)
        yield following


def _steps(ordered: Sequence[Moment]) -> Iterable[Step]:
    """No time runs backwards: an effect that seems earlier than its cause comes no time after it."""
    before = first = ordered[0].at if ordered else datetime.min
    for number, moment in enumerate(ordered, start=1):
        reached = max(before, moment.at)
        yield Step(number, moment, reached - first, reached - before)
        before = reached


def _lanes(ordered: Sequence[Moment], missing: Sequence[Missing]) -> Iterable[Lane]:
    away = {it.service for it in missing}
    used = {it.lane for it in ordered} | {it.came_from for it in ordered if it.came_from} | away
    banks = dict.fromkeys(it.lane for it in ordered if it.lane.startswith(BANK))  # who pays comes first
    for key in (*_BEFORE_BANKS, *banks, *_AFTER_BANKS):
        if key in used:
            yield Lane(key, lane_name(key), key in away)


def lane_name(key: str) -> str:
    """What is written above a lane."""
    return _NAMES[key] if key in _NAMES else key.removeprefix(BANK).capitalize()


_SPANS: Final = (
    ("Ordered, until the learner began to pay", "order.created", "method_chosen"),
    ("Approved on the phone, until the money was there", "upi.requested", _MONEY),
    ("From the money to the order paid", _MONEY, "order.paid"),
    ("From the money to the journal", _MONEY, "journal"),
    ("From the money to the course opened", _MONEY, "access.unlocked"),
    ("From the money to the receipt mailed", _MONEY, "mail.order_paid.sent"),
    ("Refund asked for, until the money was back", "refund_requested", "refund_succeeded"),
)


def _spans(ordered: Sequence[Moment]) -> Iterable[Span]:
    """Of what took place: from the last beginning before the first end."""
    for name, begin, end in _SPANS:
        ended = next((it for it in ordered if it.what == end), None)
        if ended is None:
            continue
        began = [it for it in ordered if it.what == begin and it.at <= ended.at]
        if began:
            yield Span(name, ended.at - began[-1].at)


_KNOWN_IDS: Final = (
    "order_id",
    "payment_id",
    "transaction",
    "rrn",
    "journal_id",
    "invoice",
    "refund_id",
    "credit_note",
    "trace_id",
)


def _ids(ordered: Sequence[Moment]) -> Mapping[str, tuple[str, ...]]:
    """The ids by which people look further, each once, in the order of their appearance."""
    found = {
        name: tuple(dict.fromkeys(it.ids[name] for it in ordered if it.ids.get(name))) for name in _KNOWN_IDS
    }
    return {name: values for name, values in found.items() if values}
