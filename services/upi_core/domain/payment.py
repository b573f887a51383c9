"""A transaction's life as a state machine: what happened → the next state and what is to be done about it.

    initiated ──▶ authorised ──▶ debited ──▶ (credited) ──▶ success
        │             │             ├──▶ deemed (RB) ──▶ success
        ▼             ▼             ▼        │
     failed      debit_unknown   reversal_pending ──▶ reversed ──▶ disputed
     expired

Nothing here knows a database, a clock or a message: `decide(state, happening)` is total. What comes when it no longer
matters (a second answer, a timer of a step that is over) changes nothing, which is what makes messages repeatable.
A time-out is never a failure: of a debit nobody is told anything before it is known; a credit counts as made (deemed)
until the payee's bank says otherwise.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal, assert_never

from services.upi_core.domain.codes import Code

LegName = Literal["DEBIT", "CREDIT", "REVERSAL"]
Answer = Literal["SUCCESS", "FAILURE", "PENDING", "NOT_FOUND"]
Step = Literal["auth", "DEBIT", "CREDIT", "REVERSAL", "check"]


class State(StrEnum):
    INITIATED = "initiated"
    AUTHORISED = "authorised"
    DEBITED = "debited"
    SUCCESS = "success"
    FAILED = "failed"
    EXPIRED = "expired"
    DEBIT_UNKNOWN = "debit_unknown"
    DEEMED = "deemed"
    REVERSAL_PENDING = "reversal_pending"
    REVERSED = "reversed"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Payment:
    """What deciding needs to know: how many checks were sent for the leg in question and how often the reversal was;
    and whether the credit turned out to be done after all."""

    state: State
    code: Code | None = None
    checks: int = 0
    reversals: int = 0
    late_credit: bool = False


# What happens


@dataclass(frozen=True, slots=True)
class Authorised:
    """The payee's PSP takes the payment."""


@dataclass(frozen=True, slots=True)
class AuthRefused:
    code: Code


@dataclass(frozen=True, slots=True)
class CollectExpired:
    """The payer did not approve in time."""


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """A bank says how a leg ended. 00: it is done."""

    leg: LegName
    code: Code


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The timer of the present step is over: of the authorisation, of a leg, or of a check's answer."""

    step: Step


@dataclass(frozen=True, slots=True)
class CheckDue:
    """It is time to ask the bank how the leg ended."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to ReqChkTxn."""

    leg: LegName
    answer: Answer


@dataclass(frozen=True, slots=True)
class CreditReturned:
    """The payee's bank gave back a credit that came after the payer had the money again."""


Asked = Authorised | AuthRefused | CollectExpired
Happening = Asked | LegAnswered | TimedOut | CheckDue | Checked | CreditReturned

# What is to be done


@dataclass(frozen=True, slots=True)
class Send:
    """Tell a bank to do a leg. `again`: the same message once more."""

    leg: LegName
    again: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Ask the bank how a leg ended."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class WaitForCheck:
    """Come back when a check is due; `first` waits longer."""

    first: bool


@dataclass(frozen=True, slots=True)
class Tell:
    """Say how it ended, to the payer's PSP and to the payee's."""

    result: Literal["SUCCESS", "FAILURE", "DEEMED"]
    code: Code


@dataclass(frozen=True, slots=True)
class Dispute:
    """Something that only people can settle."""

    kind: Literal["late_credit", "unresolved", "reversal_refused", "reversal_unresolved", "late_debit"]


@dataclass(frozen=True, slots=True)
class Release:
    """Nothing was or stays paid: the day's limit gets it back."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Disputes of this transaction that are answered by what happened."""


Action = Send | Check | WaitForCheck | Tell | Dispute | Release | Settle


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state and what follows. `note` goes into the timeline; None: nothing happened."""

    payment: Payment
    actions: tuple[Action, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the rulebook: how often is asked. `may_check`: still within the time for it; `may_complete` likewise."""

    check_attempts: int = 3
    may_check: bool = True
    may_reverse: bool = True
    may_complete: bool = True


DEFAULT: Final = Limits()


def decide(payment: Payment, happening: Happening, limits: Limits = DEFAULT) -> Decision:
    """Total: every happening in every state has its decision, «nothing» included."""
    match happening:
        case Authorised():
            return _authorised(payment)
        case AuthRefused(code):
            return _ended(payment, code) if payment.state is State.INITIATED else _nothing(payment)
        case CollectExpired():
            return _expired(payment)
        case LegAnswered(leg, code):
            return _leg_answered(payment, leg, code, limits)
        case TimedOut(step):
            return _timed_out(payment, step, limits)
        case CheckDue():
            return _check_due(payment, limits)
        case Checked(leg, answer):
            return _checked(payment, leg, answer, limits)
        case CreditReturned():
            return _credit_returned(payment)
        case _:
            assert_never(happening)


def _leg_answered(payment: Payment, leg: LegName, code: Code, limits: Limits) -> Decision:
    if leg == "DEBIT":
        return _debit_answered(payment, code, limits)
    return _credit_answered(payment, code) if leg == "CREDIT" else _reversal_answered(payment, code)


def _nothing(payment: Payment) -> Decision:
    return Decision(payment)


def _to(payment: Payment, state: State, *actions: Action, note: str, code: Code | None = None) -> Decision:
    return Decision(replace(payment, state=state, code=code or payment.code), actions, note)


def _authorised(payment: Payment) -> Decision:
    if payment.state is not State.INITIATED:
        return _nothing(payment)
    return _to(payment, State.AUTHORISED, Send("DEBIT"), note="authorised")


def _ended(payment: Payment, code: Code) -> Decision:
    return _to(payment, State.FAILED, Release(), Tell("FAILURE", code), note="failed", code=code)


def _expired(payment: Payment) -> Decision:
    if payment.state is not State.INITIATED:
        return _nothing(payment)
    actions = (Release(), Tell("FAILURE", Code.EXPIRED))
    return _to(payment, State.EXPIRED, *actions, note="expired", code=Code.EXPIRED)


def _debit_answered(payment: Payment, code: Code, limits: Limits) -> Decision:
    done = code is Code.SUCCESS
    match payment.state:
        case State.AUTHORISED | State.DEBIT_UNKNOWN if done:
            return _debited(payment, limits)
        case State.AUTHORISED | State.DEBIT_UNKNOWN:
            return _ended(payment, code)
        case State.FAILED if done:
            # Given up as never done, and done after all: nobody was credited, so it goes back.
            return _reverse(payment, Dispute("late_debit"), note="late debit")
        case _:
            return _nothing(payment)


def _reverse(payment: Payment, *actions: Action, note: str, code: Code | None = None) -> Decision:
    sent = replace(payment, reversals=payment.reversals + 1)
    return _to(sent, State.REVERSAL_PENDING, Send("REVERSAL"), *actions, note=note, code=code)


def _debited(payment: Payment, limits: Limits) -> Decision:
    if limits.may_complete:
        return _to(replace(payment, checks=0), State.DEBITED, Send("CREDIT"), note="debited")
    told = Tell("FAILURE", Code.DEBIT_TIMEOUT)
    return _reverse(payment, told, note="debited too late", code=Code.DEBIT_TIMEOUT)


def _credit_answered(payment: Payment, code: Code) -> Decision:
    done = code is Code.SUCCESS
    match payment.state:
        case State.DEBITED | State.DEEMED if done:
            return _succeeded(payment)
        case State.DEBITED | State.DEEMED:
            return _taken_back(payment, note="credit refused")
        case State.DISPUTED if done and not payment.reversals:
            return _succeeded(payment)
        case State.DISPUTED if not payment.reversals:
            return _taken_back(payment, Settle(), note="credit refused late")
        case State.REVERSAL_PENDING | State.REVERSED | State.DISPUTED if done and not payment.late_credit:
            return _late_credit(payment)
        case _:
            return _nothing(payment)


def _succeeded(payment: Payment) -> Decision:
    actions = (Settle(), Tell("SUCCESS", Code.SUCCESS))
    return _to(payment, State.SUCCESS, *actions, note="credited", code=Code.SUCCESS)


def _taken_back(payment: Payment, *actions: Action, note: str) -> Decision:
    """The payee was not credited: the payer gets the money back. It is told as a failure at once, for it is one."""
    code = Code.CREDIT_FAILED
    return _reverse(payment, *actions, Tell("FAILURE", code), note=note, code=code)


def _late_credit(payment: Payment) -> Decision:
    """The credit turns out to be done after the money was sent back: both have it. People settle that (M10)."""
    state = State.DISPUTED if payment.state is State.REVERSED else payment.state
    late = replace(payment, late_credit=True)
    return _to(late, state, Dispute("late_credit"), note="late credit after reversal")


def _credit_returned(payment: Payment) -> Decision:
    if payment.state is not State.DISPUTED or not payment.late_credit:
        return _nothing(payment)
    return _to(payment, State.REVERSED, Release(), Settle(), note="credit returned")


def _reversal_answered(payment: Payment, code: Code) -> Decision:
    done = code is Code.SUCCESS
    match payment.state:
        case State.REVERSAL_PENDING if done:
            state = State.DISPUTED if payment.late_credit else State.REVERSED
            return _to(payment, state, Release(), note="reversed")
        case State.REVERSAL_PENDING:
            return _to(payment, State.DISPUTED, Dispute("reversal_refused"), note="reversal refused")
        case State.DISPUTED if done and payment.reversals and not payment.late_credit:
            return _to(payment, State.REVERSED, Release(), Settle(), note="reversed")
        case _:
            return _nothing(payment)


def _timed_out(payment: Payment, step: Step, limits: Limits) -> Decision:
    match step, payment.state:
        case "auth", State.INITIATED:
            return _ended(payment, Code.AUTH_TIMEOUT)
        case "DEBIT", State.AUTHORISED:
            return _to(payment, State.DEBIT_UNKNOWN, WaitForCheck(first=True), note="debit timed out")
        case "CREDIT", State.DEBITED:
            actions = (Tell("DEEMED", Code.DEEMED), WaitForCheck(first=True))
            return _to(payment, State.DEEMED, *actions, note="credit timed out", code=Code.DEEMED)
        case "REVERSAL", State.REVERSAL_PENDING:
            return _reversal_timed_out(payment, limits)
        case "check", State.DEEMED | State.DEBIT_UNKNOWN:
            return _next_check(payment, limits, note="check timed out")
        case _:
            return _nothing(payment)


def _reversal_timed_out(payment: Payment, limits: Limits) -> Decision:
    if not limits.may_reverse:
        return _to(payment, State.DISPUTED, Dispute("reversal_unresolved"), note="reversal unresolved")
    again = replace(payment, reversals=payment.reversals + 1)
    return _to(again, State.REVERSAL_PENDING, Send("REVERSAL", again=True), note="reversal timed out")


def _check_due(payment: Payment, limits: Limits) -> Decision:
    match payment.state:
        case State.DEEMED | State.DEBIT_UNKNOWN if limits.may_check:
            leg: LegName = "CREDIT" if payment.state is State.DEEMED else "DEBIT"
            asked = replace(payment, checks=payment.checks + 1)
            return _to(asked, payment.state, Check(leg), note="check sent")
        case State.DEEMED | State.DEBIT_UNKNOWN:
            return _unresolved(payment)
        case _:
            return _nothing(payment)


def _next_check(payment: Payment, limits: Limits, note: str) -> Decision:
    if payment.checks < limits.check_attempts and limits.may_check:
        return _to(payment, payment.state, WaitForCheck(first=False), note=note)
    return _unresolved(payment)


def _unresolved(payment: Payment) -> Decision:
    """Nobody could say how it ended. A debit is taken back, which is safe either way; a credit is for people."""
    if payment.state is State.DEBIT_UNKNOWN:
        told = Tell("FAILURE", Code.DEBIT_TIMEOUT)
        return _reverse(payment, told, note="debit unresolved", code=Code.DEBIT_TIMEOUT)
    return _to(payment, State.DISPUTED, Dispute("unresolved"), note="credit unresolved")


def _checked(payment: Payment, leg: LegName, answer: Answer, limits: Limits) -> Decision:
    expected = {State.DEEMED: "CREDIT", State.DEBIT_UNKNOWN: "DEBIT"}.get(payment.state)
    if leg != expected:
        return _late_answer(payment, leg, answer, limits)
    match answer:
        case "SUCCESS":
            return _succeeded(payment) if leg == "CREDIT" else _debited(payment, limits)
        case "FAILURE":
            if leg == "CREDIT":
                return _taken_back(payment, note="credit was refused")
            return _ended(payment, Code.DEBIT_FAILED)
        case "PENDING":
            return _next_check(payment, limits, note="still pending")
        case "NOT_FOUND":
            return _not_found(payment, limits)
        case _:
            assert_never(answer)


def _not_found(payment: Payment, limits: Limits) -> Decision:
    """The bank does not know the leg. The message may still be on its way, so it is believed at the last check."""
    if payment.checks < limits.check_attempts and limits.may_check:
        return _to(payment, payment.state, WaitForCheck(first=False), note="not found yet")
    if payment.state is State.DEEMED:
        return _taken_back(payment, note="credit never arrived")
    return _unresolved(payment)


def _late_answer(payment: Payment, leg: LegName, answer: Answer, limits: Limits) -> Decision:
    """The answer to a check of a step that is over says as much as a late answer of the leg itself."""
    if answer == "FAILURE" and leg == "CREDIT" and payment.state is State.DISPUTED:
        return _credit_answered(payment, Code.CREDIT_FAILED)
    told = answer == "SUCCESS" and leg != "REVERSAL"
    return decide(payment, LegAnswered(leg, Code.SUCCESS), limits) if told else _nothing(payment)
