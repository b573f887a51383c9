"""Telling what happened: a transaction's whole story, and the disputes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.upi_core import contract
from services.upi_core.domain.codes import MEANINGS
from services.upi_core.domain.links import CURRENCY
from services.upi_core.store import disputes, transactions
from services.upi_core.store.transactions import Side, Txn
from services.upi_core.usecases.problems import not_found
from suuupra.db import Transaction
from suuupra.money import Money


async def of_id(tx: Transaction, txn_id: str) -> contract.TransactionView:
    txn = await transactions.find(tx, txn_id)
    if txn is None:
        raise not_found("transaction", txn_id)
    return await _story(tx, txn)


async def of_reference(tx: Transaction, ref_id: str) -> contract.Transactions:
    """Everything that was tried under a merchant's reference, the oldest first."""
    found = await transactions.of_reference(tx, ref_id)
    return contract.Transactions(items=[await _story(tx, txn) for txn in found])


async def _story(tx: Transaction, txn: Txn) -> contract.TransactionView:
    code = txn.payment.code
    legs = await transactions.legs(tx, txn.id)
    return contract.TransactionView(
        id=txn.id,
        rrn=txn.rrn,
        type=txn.type,
        state=txn.payment.state.value,
        code=code.value if code else None,
        meaning=MEANINGS[code] if code else None,
        amount=Money(txn.amount_minor, CURRENCY),
        note=txn.note,
        ref_id=txn.ref_id,
        org_txn_id=txn.org_txn_id,
        payer=_side(txn.payer),
        payee=_side(txn.payee),
        payee_psp=txn.payee_psp,
        created_at=txn.created_at,
        legs=[contract.LegView.model_validate(row, from_attributes=True) for row in legs.values()],
        timeline=[_entry(row) for row in await transactions.events(tx, txn.id)],
        disputes=[row.id for row in await disputes.of_transaction(tx, txn.id)],
        refunds=[refund.id for refund in await transactions.refunds_of(tx, txn.id)],
    )


def _side(side: Side) -> contract.SideView:
    return contract.SideView(vpa=side.vpa, name=side.name, bank=side.bank)


def _entry(row: Any) -> contract.TimelineEntry:
    return contract.TimelineEntry(at=row.at, note=row.note, state=row.state, code=row.code, detail=row.detail)


async def disputes_page(
    tx: Transaction, *, only_open: bool, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Any]:
    """Rows of dispute items, the newest first."""
    return await disputes.newest(tx, only_open=only_open, after=after, limit=limit)


def dispute_item(row: Any) -> contract.DisputeItem:
    return contract.DisputeItem(
        id=row.id,
        txn_id=row.txn_id,
        kind=row.kind,
        amount=Money(row.amount_minor, CURRENCY),
        raised_by=row.raised_by,
        reason=row.reason,
        opened_at=row.opened_at,
        due_at=row.due_at,
        resolved_at=row.resolved_at,
        resolution=row.resolution,
        payer_bank=row.payer_bank,
        payee_bank=row.payee_bank,
        rrn=row.rrn,
    )
