"""What each service tells of an order, as moments of its story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from services.commerce import contract as commerce
from services.content import contract as content
from services.ledger import contract as ledger
from services.notifications import contract as notifications
from services.web.domain.story.moments import LEARNER, Moment, Tone
from suuupra.money import Money
from suuupra.writing import money

_FROM: Final[Mapping[str, str]] = {
    "order.created": LEARNER,
    "order.canceled": LEARNER,
    "payment.succeeded": "payments",
    "payment.failed": "payments",
    "order.refunded": "payments",
}
_TONES: Final[Mapping[str, Tone]] = {
    "payment.succeeded": "good",
    "order.paid": "good",
    "order.fulfilled": "good",
    "payment.failed": "bad",
    "order.expired": "bad",
    "order.canceled": "bad",
    "refund.requested": "wait",
}


def of_order(order: commerce.OrderView) -> Iterator[Moment]:
    """Commerce: the order's own timeline."""
    for entry in order.timeline:
        yield Moment(
            entry.at,
            "commerce",
            "commerce",
            entry.what,
            entry.text,
            came_from=_FROM.get(entry.what),
            tone=_TONES.get(entry.what, "plain"),
            ids=_named(entry.ids) | {"order_id": str(order.id)},
        )


def _named(ids: Mapping[str, str]) -> dict[str, str]:
    """Under the names that all of the story has."""
    return {_SAME.get(name, name): value for name, value in ids.items()}


_SAME: Final[Mapping[str, str]] = {"rail_reference": "transaction", "reference": "attempt_reference"}


def of_journals(journals: Iterable[ledger.Journal]) -> Iterator[Moment]:
    """The ledger: each journal with its postings."""
    for journal in journals:
        postings = tuple(
            f"{leg.side.capitalize()} {leg.account}: {_signed(leg.amount_minor, transfer.currency)}"
            for transfer in journal.transfers
            for leg in transfer.legs
        )
        known = {name: value for name, value in journal.details.items() if isinstance(value, str)}
        yield Moment(
            journal.posted_at,
            "ledger",
            "ledger",
            "journal",
            f"Journal {journal.sequence} posted: {journal.description}",
            came_from="payments",
            tone="good",
            ids=_named(known) | {"journal_id": str(journal.id), "hash": journal.hash},
            lines=postings,
        )


def _signed(minor: int, currency: str) -> str:
    return money(Money(minor, currency))


def of_access(
    rights: Iterable[content.Right], titles: Mapping[UUID, str], since: datetime
) -> Iterator[Moment]:
    """Content: when lessons were opened and closed. What is older than the order is another order's."""
    for right in rights:
        title = titles.get(right.course_id, "The course")
        ids = {"course_id": str(right.course_id)}
        if right.unlocked_at is not None and right.unlocked_at >= since:
            text = f"{title}: the lessons can be read"
            yield Moment(
                right.unlocked_at, "content", "content", "access.unlocked", text, "commerce", "good", ids
            )
        if right.locked_at is not None and right.locked_at >= since:
            text = f"{title}: the lessons are locked again"
            yield Moment(
                right.locked_at, "content", "content", "access.locked", text, "commerce", "plain", ids
            )


_KINDS: Final[Mapping[notifications.Kind, str]] = {
    "welcome": "welcome",
    "order_paid": "receipt",
    "order_expired": "order not paid in time",
    "order_canceled": "order canceled",
    "order_refunded": "refund",
    "payment_succeeded": "payment arrived",
    "payment_failed": "payment failed",
    "entitlement_granted": "course opened",
    "entitlement_revoked": "course closed",
}
_UNSENT: Final[Mapping[notifications.MessageState, tuple[str, Tone]]] = {
    "waiting": ("waits for the learner's address", "wait"),
    "due": ("is about to be sent", "wait"),
    "sending": ("is being sent", "wait"),
    "refused": ("was refused by the mail server", "bad"),
    "unwanted": ("is not sent: the learner does not want it", "plain"),
    "off": ("is not sent: mail of this kind is off", "plain"),
    "expired": ("was given up: no address came", "bad"),
}


def of_messages(messages: Iterable[notifications.Message]) -> Iterator[Moment]:
    """Notifications: lines of the inbox, and mail from when it was written until the mail server took it."""
    for message in messages:
        yield from _inbox(message) if message.channel == "inbox" else _mail(message)


def _inbox(message: notifications.Message) -> Iterator[Moment]:
    kind, ids = _KINDS[message.kind], {"notification_id": str(message.id)}
    text = f"In the inbox: {kind}"
    what = f"inbox.{message.kind}"
    yield Moment(
        message.created_at, "notifications", "notifications", what, text, _teller(message), "plain", ids
    )
    if message.read_at is not None:
        text = f"Read in the inbox: {kind}"
        yield Moment(
            message.read_at, "notifications", "notifications", f"{what}.read", text, LEARNER, "plain", ids
        )


def _teller(message: notifications.Message) -> str:
    return "payments" if message.kind in ("payment_succeeded", "payment_failed") else "commerce"


def _mail(message: notifications.Message) -> Iterator[Moment]:
    kind, ids = _KINDS[message.kind], {"mail_id": str(message.id)}
    what = f"mail.{message.kind}"
    end, tone = _UNSENT.get(message.state, ("", "plain"))
    text = f"Mail written: {kind}" if message.sent_at else f"Mail: {kind}, which {end}"
    lines = (message.refusal,) if message.refusal else ()
    yield Moment(
        message.created_at, "notifications", "notifications", what, text, _teller(message), tone, ids, lines
    )
    if message.sent_at is not None:
        tries = f", at try {message.attempts}" if message.attempts > 1 else ""
        text = f"Mail handed to the mail server: {kind}{tries}"
        yield Moment(
            message.sent_at, "notifications", LEARNER, f"{what}.sent", text, "notifications", "good", ids
        )
