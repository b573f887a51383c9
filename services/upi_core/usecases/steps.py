"""One step of a transaction: what happened is decided about, saved, put into its timeline, and acted upon."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Literal, assert_never

from prometheus_client import Counter, Histogram

from services.upi_core.contract import Api, Code, Ref
from services.upi_core.domain import payment as machine
from services.upi_core.domain import writing
from services.upi_core.domain.links import CURRENCY
from services.upi_core.domain.payment import LegName, State
from services.upi_core.domain.rulebook import Rulebook
from services.upi_core.store import disputes, requests, transactions
from services.upi_core.store.transactions import Txn
from services.upi_core.usecases.rail import PHONE, Rail
from suuupra import schedule
from suuupra.db import Transaction
from suuupra.money import Money

TIMER: Final = "timer"
"""The kind of a transaction's one timer; its payload says of which step."""
CHECK_DUE: Final = "check-due"
CONFIRMED_WITHIN: Final = timedelta(days=1)
"""How long a confirmation is tried."""
REFUND: Final = "REFUND"
"""What a refund counts in: the payment that it takes back."""
_SETTLED_BY_EVENTS: Final = ("unresolved", "reversal_unresolved", "reversal_refused", "late_credit")
_GROWTH: Final = 6
"""Doublings of the pause between two reversals: 10 s grow to about ten minutes."""

TOLD = Counter("suuupra_upi_results_total", "Results that were told, by type and code.", ["type", "code"])
DURATION = Histogram(
    "suuupra_upi_transaction_seconds",
    "From ReqPay to the first result, by type and result.",
    ["type", "result"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60),
)
DISPUTES = Counter("suuupra_upi_disputes_total", "Dispute items opened by what happened.", ["kind"])


async def apply(
    tx: Transaction,
    rail: Rail,
    txn: Txn,
    happening: machine.Happening,
    detail: Mapping[str, Any] | None = None,
) -> Txn:
    """The transaction (locked) after `happening`. What changes nothing leaves no trace."""
    decision = machine.decide(txn.payment, happening, _limits(rail, txn))
    if decision.note is None:
        return txn
    now = rail.clock.now()
    await transactions.save(tx, txn.id, decision.payment, now, decision.note, detail or {})
    after = replace(txn, payment=decision.payment)
    if txn.type == "COLLECT" and txn.payment.state is State.INITIATED:
        await requests.ended(tx, txn.id, "expired" if after.payment.state is State.EXPIRED else "sent")
    for action in decision.actions:
        after = await _do(tx, rail, after, action)
    return after


def _limits(rail: Rail, txn: Txn) -> machine.Limits:
    rules, now = rail.rules, rail.clock.now()
    checked_until = txn.began_at + rules.scaled(rules.check_within)
    return machine.Limits(
        check_attempts=rules.check_attempts,
        may_check=now <= checked_until,
        may_reverse=now <= checked_until + rules.scaled(rules.reversal_within),
        may_complete=now <= txn.expires_at,
    )


async def _do(tx: Transaction, rail: Rail, txn: Txn, action: machine.Action) -> Txn:
    match action:
        case machine.Send(leg, again):
            await (_send_again(tx, rail, txn, leg) if again else _send(tx, rail, txn, leg))
        case machine.Check(leg):
            await _check(tx, rail, txn, leg)
        case machine.WaitForCheck(first):
            rules = rail.rules
            wait = rules.scaled(rules.first_check_after if first else rules.check_every)
            await start_timer(tx, rail, txn.id, CHECK_DUE, wait)
        case machine.Tell(result, code):
            return await _tell(tx, rail, txn, result, code)
        case machine.Dispute(kind):
            await _dispute(tx, rail, txn, kind)
        case machine.Release():
            await _release(tx, txn)
        case machine.Settle():
            reason = f"the transaction is {txn.payment.state}"
            await disputes.resolve(tx, txn.id, _SETTLED_BY_EVENTS, reason, rail.clock.now())
        case _:
            assert_never(action)
    return txn


async def start_timer(
    tx: Transaction, rail: Rail, txn_id: str, step: str, wait: timedelta, *, first: bool = False
) -> None:
    """The timer of a transaction that is locked, or `first` of a new one; the one before is over."""
    due = rail.clock.now() + wait
    await schedule.put(tx, TIMER, txn_id, due, {"step": step}, first=first, locked=True)


def _timer_of(rules: Rulebook, leg: LegName, reversals: int) -> timedelta:
    if leg != "REVERSAL":
        return rules.scaled(rules.pay_timer)
    times: int = 2 ** min(max(reversals - 1, 0), _GROWTH)
    return rules.scaled(rules.reversal_timer) * times


async def _send(tx: Transaction, rail: Rail, txn: Txn, leg: LegName) -> None:
    now = rail.clock.now()
    timer = _timer_of(rail.rules, leg, txn.payment.reversals)
    bank = txn.payee.bank if leg == "CREDIT" else txn.payer.bank
    if leg == "REVERSAL":
        sent = await transactions.legs(tx, txn.id)
        if "CREDIT" in sent:
            await rail.messenger.withdraw(tx, sent["CREDIT"].message_id)
        if leg in sent:
            await rail.messenger.again(tx, sent[leg].message_id)
            await start_timer(tx, rail, txn.id, leg, timer)
            return
    until = now + timer if leg == "DEBIT" else None
    request = writing.leg_request(txn, leg, now, until)
    message_id = await rail.post(tx, bank, Api.REQ_PAY, request, expires_at=until)
    await transactions.add_leg(tx, txn.id, leg, bank, message_id, now)
    await start_timer(tx, rail, txn.id, leg, timer)


async def _send_again(tx: Transaction, rail: Rail, txn: Txn, leg: LegName) -> None:
    """The same message, id included (M11)."""
    sent = await transactions.legs(tx, txn.id)
    await rail.messenger.again(tx, sent[leg].message_id)
    await start_timer(tx, rail, txn.id, leg, _timer_of(rail.rules, leg, txn.payment.reversals))


async def _check(tx: Transaction, rail: Rail, txn: Txn, leg: LegName) -> None:
    now = rail.clock.now()
    timer = rail.rules.scaled(rail.rules.check_timer)
    bank = txn.payee.bank if leg == "CREDIT" else txn.payer.bank
    await rail.post(tx, bank, Api.REQ_CHK_TXN, writing.check_request(txn, leg, now), expires_at=now + timer)
    await start_timer(tx, rail, txn.id, "check", timer)


async def _tell(
    tx: Transaction, rail: Rail, txn: Txn, result: Literal["SUCCESS", "FAILURE", "DEEMED"], code: Code
) -> Txn:
    """The first result answers the ReqPay; the payee's PSP is told every one, and so is whoever asked for a refund."""
    now, first = rail.clock.now(), txn.told is None
    if first and txn.initiator != PHONE:
        answer = writing.answer(txn, result, code, await refs(tx, txn), now)
        until = now + CONFIRMED_WITHIN
        await rail.post(tx, txn.initiator, Api.RESP_PAY, answer, expires_at=until)
    if txn.type == "PAY" or not first:
        confirmation = writing.confirmation(txn, result, code, now)
        told = txn.initiator if txn.type == "REFUND" else txn.payee_psp
        until = now + CONFIRMED_WITHIN
        await rail.post(tx, told, Api.REQ_TXN_CONFIRMATION, confirmation, expires_at=until)
    await transactions.told(tx, txn.id, result)
    TOLD.labels(txn.type, code).inc()
    if first:
        if txn.type != "COLLECT" or txn.counted_in is not None:  # else its payer never began it
            rail.admission.ended(tx, txn.id)
        DURATION.labels(txn.type, result).observe((now - txn.created_at).total_seconds())
    return replace(txn, told=result)


async def refs(tx: Transaction, txn: Txn) -> list[Ref]:
    """How both sides ended at their banks, as far as they were asked."""
    legs = await transactions.legs(tx, txn.id)
    amount = Money(txn.amount_minor, CURRENCY)
    found: list[Ref] = []
    for leg, kind, vpa in (("DEBIT", "PAYER", txn.payer.vpa), ("CREDIT", "PAYEE", txn.payee.vpa)):
        row = legs.get(leg)
        if row is not None and row.code is not None:
            reversal = Code.REVERSAL_PENDING if leg == "DEBIT" and "REVERSAL" in legs else None
            found.append(
                Ref(
                    type="PAYER" if kind == "PAYER" else "PAYEE",
                    vpa=vpa,
                    code=Code(row.code),
                    amount=amount,
                    approval=row.approval,
                    reversal_code=reversal,
                )
            )
    return found


async def _dispute(tx: Transaction, rail: Rail, txn: Txn, kind: str) -> None:
    now = rail.clock.now()
    due_at = now + timedelta(days=rail.rules.dispute_days)
    await disputes.open_item(
        tx,
        txn.id,
        kind,
        txn.amount_minor,
        raised_by="UPI",
        reason=_REASONS[kind],
        now=now,
        due_at=due_at,
    )
    DISPUTES.labels(kind).inc()


_REASONS: Final = {
    "late_credit": "The payee's bank credited after the payer had the money back.",
    "unresolved": "The payee's bank never said whether it credited.",
    "reversal_refused": "The payer's bank refused to take the debit back.",
    "reversal_unresolved": "The payer's bank never said whether it took the debit back.",
    "late_debit": "The payer's bank debited after the transaction had failed; it was told to take it back.",
}


async def _release(tx: Transaction, txn: Txn) -> None:
    """What counted in a limit, or in what may be refunded, counts no more. Twice is the same as once."""
    if txn.counted_in is None or not await transactions.uncount(tx, txn.id):
        return
    if txn.counted_in == REFUND and txn.org_txn_id is not None:
        await transactions.give_refund(tx, txn.org_txn_id, txn.amount_minor)
    elif txn.counted_on is not None:
        await transactions.spend(tx, txn.payer, txn.counted_on, txn.counted_in, -txn.amount_minor, -1)
