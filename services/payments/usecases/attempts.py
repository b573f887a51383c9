"""What a payer does: begin an attempt, or withdraw."""

import secrets
from uuid import UUID

from services.payments import contract
from services.payments.domain import attempts
from services.payments.domain import events as e
from services.payments.domain.attempts import Begin, GiveAgain, Refusal
from services.payments.domain.events import CancelReason, Method
from services.payments.domain.folding import apply
from services.payments.domain.payment import Attempt, AwaitingPayer, Payment
from services.payments.usecases import views
from services.payments.usecases.changing import Change
from services.payments.usecases.problems import refused
from suuupra.auth import Principal
from suuupra.errors import not_found


async def begin(
    change: Change, caller: Principal, payment_id: UUID, new: contract.NewAttempt
) -> contract.StartedAttempt:
    """Begin an attempt of the caller's payment, or give the one that is open. Raises what `problems` has."""
    payment = await own(change, caller, payment_id)
    method = Method(new.method)
    rail = await change.rails.offering(change.tx, method, payment.amount.currency)
    match attempts.begin_attempt(payment, method, rail.name, rail.rules, new_reference(), change.now):
        case Refusal() as refusal:
            raise refused(refusal)
        case GiveAgain(attempt):
            return _started(payment, attempt)
        case Begin(events):
            chosen = payment
            for event in events:
                chosen = apply(chosen, event, change.now)
            link = rail.present(chosen, chosen.attempts[-1])
            ready = e.ActionRequired(attempt=len(chosen.attempts), link=link)
            payment = await change.record(payment, [*events, ready])
            return _started(payment, payment.attempts[-1])


def _started(payment: Payment, attempt: Attempt) -> contract.StartedAttempt:
    if not isinstance(attempt.state, AwaitingPayer):
        raise LookupError(f"attempt {attempt.reference} is not open")
    return views.started(payment, attempt)


def new_reference() -> str:
    """The reference of an attempt: 20 letters and digits that cannot be guessed."""
    return "P" + secrets.token_hex(10).upper()[:19]


async def cancel(change: Change, caller: Principal, payment_id: UUID) -> contract.PaymentView:
    """Withdraw the caller's payment, unless money may be moving."""
    payment = await own(change, caller, payment_id)
    decided = attempts.cancel(payment, CancelReason.REQUESTED)
    if isinstance(decided, Refusal):
        raise refused(decided)
    return views.payment(await change.record(payment, decided))


async def own(change: Change, caller: Principal, payment_id: UUID) -> Payment:
    """The caller's payment, locked. A peer's is not there (404)."""
    payment = await change.locked(payment_id)
    if str(payment.user_id) != caller.subject:
        raise not_found("payment", payment_id)
    return payment
