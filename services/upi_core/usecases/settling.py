"""Ending a dispute by hand: what people found out stands for the answer that a bank never gave."""

from collections.abc import Mapping
from typing import Final

from services.upi_core import contract
from services.upi_core.domain import payment as machine
from services.upi_core.domain.codes import Code
from services.upi_core.domain.payment import State
from services.upi_core.store import transactions
from services.upi_core.usecases import steps, stories
from services.upi_core.usecases.problems import not_found, nothing_to_settle
from services.upi_core.usecases.rail import Rail
from suuupra.db import Transaction

_MEANS: Final[Mapping[str, machine.Happening]] = {
    "credited": machine.LegAnswered("CREDIT", Code.SUCCESS),
    "refused": machine.LegAnswered("CREDIT", Code.CREDIT_FAILED),
    "reversed": machine.LegAnswered("REVERSAL", Code.SUCCESS),
    "returned": machine.CreditReturned(),
}
_ENDS: Final[Mapping[str, frozenset[State]]] = {
    "credited": frozenset({State.SUCCESS}),
    "refused": frozenset({State.REVERSAL_PENDING, State.REVERSED}),
    "reversed": frozenset({State.REVERSED}),
    "returned": frozenset({State.REVERSED}),
}


async def settle(
    tx: Transaction, rail: Rail, txn_id: str, wanted: contract.Settlement
) -> contract.TransactionView:
    """Take in how a disputed transaction ended, and do what follows. Said again it changes nothing.

    Raises NotFound, and NothingToSettle for what is not in dispute or would not end it.
    """
    txn = await transactions.lock(tx, txn_id)
    if txn is None:
        raise not_found("transaction", txn_id)
    if txn.payment.state is State.DISPUTED:
        happening = _MEANS[wanted.outcome]
        detail = {"by": "people", "outcome": wanted.outcome, "reason": wanted.reason}
        txn = await steps.apply(tx, rail, txn, happening, detail)
    if txn.payment.state not in _ENDS[wanted.outcome]:
        raise nothing_to_settle(txn_id, txn.payment.state, wanted.outcome)
    return await stories.of_id(tx, txn_id)
