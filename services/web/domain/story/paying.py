"""What payments and the rail tell of an order, as moments of its story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from services.payments import contract as payments
from services.upi_core import contract as upi
from services.web.domain.story.moments import BANK, LEARNER, Moment, Tone, lane_name
from suuupra.money import Money
from suuupra.writing import money

SWITCH: Final = "upi-core"
_WORDS: Final[Mapping[str, tuple[str, str | None, Tone]]] = {
    "created": ("Payment of {amount} prepared", "commerce", "plain"),
    "method_chosen": ("Attempt {attempt} begun by {method}", LEARNER, "plain"),
    "action_required": ("Attempt {attempt}: QR code and link are ready", None, "plain"),
    "authorisation_given": ("Attempt {attempt}: we take this payment from {payer}", None, "plain"),
    "outcome_unknown": ("Attempt {attempt}: the switch has not said how it ended; we will ask", None, "wait"),
    "outcome_pending": ("Attempt {attempt}: the switch does not know yet either ({code})", SWITCH, "wait"),
    "outcome_asked": ("Attempt {attempt}: asked the switch how it ended", None, "wait"),
    "funds_held": ("Attempt {attempt}: the money is held", SWITCH, "plain"),
    "attempt_succeeded": ("Attempt {attempt} succeeded: the money is ours", SWITCH, "good"),
    "attempt_failed": ("Attempt {attempt} failed: {reason} ({code})", SWITCH, "bad"),
    "attempt_expired": ("Attempt {attempt}: the code was not used in time", None, "bad"),
    "attempt_closed": ("Attempt {attempt} closed: {why}", None, "plain"),
    "surplus_received": (
        "Attempt {attempt} brought money a second time: somebody must see to it",
        SWITCH,
        "bad",
    ),
    "cancel_wanted": ("The order has ended ({why}); an attempt may still bring money", "commerce", "wait"),
    "canceled": ("Payment withdrawn: {why}", "commerce", "plain"),
    "refund_requested": ("Refund of {amount} asked for: {reason}", "commerce", "wait"),
    "refund_sent": ("Refund sent to the rail", None, "plain"),
    "refund_outcome_unknown": ("The switch has not said how the refund ended; we will ask", None, "wait"),
    "refund_outcome_asked": ("Asked the switch how the refund ended", None, "wait"),
    "refund_try_failed": (
        "A try to refund moved no money: {reason} ({code}); another follows",
        SWITCH,
        "bad",
    ),
    "refund_succeeded": ("Refund done: the payer has the money back", SWITCH, "good"),
    "refund_failed": ("Refund given up: {reason} ({code}); somebody must see to it", SWITCH, "bad"),
}
_METHODS: Final = {"upi_qr": "QR code", "upi_intent": "UPI app"}
_IDS: Final[Mapping[str, str]] = {
    "transaction": "transaction",
    "rrn": "rrn",
    "refund_id": "refund_id",
    "reference": "attempt_reference",
    "trace_id": "trace_id",
    "id": "message_id",
    "delivery": "delivery_id",
}


class _Known(dict[str, str]):
    """Details as words: one that an event does not have is a dash."""

    def __missing__(self, key: str) -> str:
        return "–"


def of_payment(timeline: payments.Timeline) -> Iterator[Moment]:
    """Payments: what happened to a payment, what was said to and by the rail, what was published and delivered."""
    for entry in timeline.items:
        text, lane, origin, tone = _payment_words(entry)
        ids = {_IDS[name]: str(value) for name, value in entry.details.items() if name in _IDS and value}
        ids |= {"payment_id": str(timeline.payment_id)}
        what = entry.what if entry.kind == "event" else f"{entry.kind}.{entry.what}"
        yield Moment(entry.at, "payments", lane, what, text, origin, tone, ids)


def _payment_words(entry: payments.TimelineEntry) -> tuple[str, str, str | None, Tone]:
    """Sentence, lane, whence, tone."""
    told = _details(entry.details)
    match entry.kind:
        case "event" if entry.what in _WORDS:
            words, origin, tone = _WORDS[entry.what]
            return words.format_map(told), "payments", origin, tone
        case "message_in":
            return f"{entry.what} came from the switch", "payments", SWITCH, "plain"
        case "message_out":
            again = f", {told['attempts']} times" if entry.details.get("attempts", 1) not in (0, 1) else ""
            trouble = f"; {told['trouble']}" if "trouble" in told else ""
            return f"{entry.what} sent to the switch{again}{trouble}", SWITCH, "payments", "plain"
        case "published":
            return f"Published {entry.what}", "payments", None, "plain"
        case "webhook":
            return f"Webhook {entry.what}: {told['state']}", "payments", None, "plain"
        case _:
            return entry.what.replace("_", " ").capitalize(), "payments", None, "plain"


def _details(details: Mapping[str, Any]) -> _Known:
    known = _Known()
    for name, value in details.items():
        if isinstance(value, Mapping) and {"minor", "currency"} <= value.keys():
            known[name] = money(Money(value["minor"], value["currency"]))
        elif name == "method":
            known[name] = _METHODS.get(str(value), str(value))
        else:
            known[name] = (
                str(value).rstrip(".").replace("_", " ") if name in ("why", "reason") else str(value)
            )
    return known


_NOTES: Final[Mapping[str, tuple[str, str | None, Tone]]] = {
    "requested": ("{kind} of {amount} from {payer} to {payee}", LEARNER, "plain"),
    "authorised": ("The payee's side takes it", "payments", "plain"),
    "confirmed": ("The result is confirmed by {by}", None, "plain"),
    "failed": ("Failed: {meaning}", None, "bad"),
    "expired": ("Not approved in time", None, "bad"),
    "complaint": ("A complaint was raised by {by}", None, "bad"),
    "debit timed out": ("The payer's bank has not answered the debit: to be asked", None, "wait"),
    "credit timed out": ("The payee's bank has not answered the credit: deemed, to be asked", None, "wait"),
    "check sent": ("Asked the bank how it ended (ReqChkTxn)", None, "wait"),
}
_LEGS: Final = {"DEBIT": "debit", "CREDIT": "credit", "REVERSAL": "reversal"}
_DONE_BY_LEG: Final = {"debited": "DEBIT", "credited": "CREDIT", "reversed": "REVERSAL"}
"""Notes that say no more than that leg's answer."""


def of_transaction(txn: upi.TransactionView) -> Iterator[Moment]:
    """The rail: a transaction's steps at the switch, and its legs at the banks."""
    ids = {"transaction": txn.id, "rrn": txn.rrn}
    answered = {it.leg for it in txn.legs if it.answered_at is not None and it.code == "00"}
    for entry in txn.timeline:
        if _DONE_BY_LEG.get(entry.note) in answered:
            continue
        words, origin, tone = _NOTES.get(entry.note, (entry.note.capitalize(), None, "plain"))
        if entry.note == "requested" and txn.type == "REFUND":
            origin = "payments"
        text = words.format_map(_of_transaction(txn, entry.detail))
        text += f" ({entry.code})" if entry.code and entry.code != "00" and entry.code not in text else ""
        what = f"upi.{entry.note.replace(' ', '_')}"
        yield Moment(entry.at, SWITCH, SWITCH, what, text, origin, tone, ids)
    for leg in txn.legs:
        yield from _leg(txn, leg, ids)


def _of_transaction(txn: upi.TransactionView, detail: Mapping[str, Any]) -> _Known:
    kind = {"REFUND": "Refund", "COLLECT": "Collect"}.get(txn.type, "Payment")
    return _Known(
        kind=kind,
        amount=money(txn.amount),
        payer=txn.payer.vpa if kind == "Refund" else masked(txn.payer.vpa),
        payee=masked(txn.payee.vpa) if kind == "Refund" else txn.payee.vpa,
        meaning=(txn.meaning or "no reason was told").rstrip("."),
        **{name: str(value) for name, value in detail.items() if name == "by"},
    )


def masked(vpa: str) -> str:
    """A person's payment address as support sees it, `as…@banyan`: enough to compare, not enough to use."""
    name, _, handle = vpa.partition("@")
    return f"{name[:2]}…@{handle}"


def _leg(txn: upi.TransactionView, leg: upi.LegView, ids: Mapping[str, str]) -> Iterator[Moment]:
    name, bank, amount = _LEGS.get(leg.leg, leg.leg.lower()), BANK + leg.bank, money(txn.amount)
    who = f"{lane_name(bank)} bank"
    sent = f"{who} is told to {name} {amount}" if name != "reversal" else f"{who} is told to reverse {amount}"
    yield Moment(leg.sent_at, SWITCH, bank, f"upi.{name}.sent", sent, SWITCH, "plain", ids)
    if leg.answered_at is None:
        return
    done = leg.code == "00"
    approval = {"approval": leg.approval} if leg.approval else {}
    text = f"{who} has done the {name}" if done else f"{who} refuses the {name} ({leg.code})"
    tone: Tone = "good" if done else "bad"
    yield Moment(
        leg.answered_at, SWITCH, SWITCH, f"upi.{name}.answered", text, bank, tone, {**ids, **approval}
    )


def references(views: Iterable[payments.PaymentView]) -> list[str]:
    """The names of all attempts on the rail."""
    return list(dict.fromkeys(attempt.reference for view in views for attempt in view.attempts))
