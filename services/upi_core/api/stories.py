"""What happened: transactions by id or reference, and dispute items."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from services.upi_core import contract
from services.upi_core.api.dependencies import Db
from services.upi_core.usecases import stories
from suuupra.auth import require_any_scope, require_scope
from suuupra.pagination import Page, Paging

router = APIRouter(tags=["stories"])
_STAFF = [Depends(require_scope("platform:read"))]
_ABOUT_ORDERS = [Depends(require_any_scope("platform:read", "orders:read"))]
"""Whoever may see anybody's order may see how it was paid; the gateway lets only platform:read in from outside."""
Id = Annotated[contract.TxnId, Path(description="The transaction's id.")]
Reference = Annotated[
    str,
    Query(
        min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$", description="The merchant's reference, `tr`."
    ),
]
OnlyOpen = Annotated[bool, Query(description="Leave out what is resolved.")]


async def _transaction(db: Db, txn_id: Id) -> contract.TransactionView:
    """A transaction with its timeline, legs, disputes and refunds."""
    async with db.reading() as tx:
        return await stories.of_id(tx, txn_id)


async def _transactions(db: Db, ref_id: Reference) -> contract.Transactions:
    """All that was tried under a merchant's reference, the oldest first."""
    async with db.reading() as tx:
        return await stories.of_reference(tx, ref_id)


async def _disputes(db: Db, paging: Paging, only_open: OnlyOpen = False) -> Page[contract.DisputeItem]:
    """Dispute items, the newest first."""
    async with db.reading() as tx:
        rows = await stories.disputes_page(
            tx, only_open=only_open, after=paging.after(datetime, UUID), limit=paging.limit + 1
        )
    return paging.page(rows, key=lambda row: (row.opened_at, row.id), view=stories.dispute_item)


for prefix, some, all_ in (("/internal/v1", [], []), ("/v1/upi", _ABOUT_ORDERS, _STAFF)):
    staff = "staff_" if all_ else ""
    router.get(
        f"{prefix}/transactions/{{txn_id}}", dependencies=some, operation_id=f"{staff}read_transaction"
    )(_transaction)
    router.get(f"{prefix}/transactions", dependencies=some, operation_id=f"{staff}list_transactions")(
        _transactions
    )
    router.get(f"{prefix}/disputes", dependencies=all_, operation_id=f"{staff}list_disputes")(_disputes)
