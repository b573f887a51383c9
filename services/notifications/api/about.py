"""For support, inside the cluster: what people were told of an order, and whether it reached them."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends

from services.notifications import contract
from services.notifications.api.dependencies import Db
from services.notifications.store import about
from suuupra.auth import require_scope

MOST: Final = 200
router = APIRouter(
    prefix="/internal/v1/orders", tags=["support"], dependencies=[Depends(require_scope("orders:read"))]
)


@router.get("/{order_id}/messages")
async def list_messages(db: Db, order_id: UUID) -> contract.Messages:
    """Lines of inboxes and mails about an order, the oldest first, without their texts and addresses."""
    async with db.reading() as tx:
        rows = await about.order(tx, order_id, MOST)
    return contract.Messages(
        items=[contract.Message.model_validate(row, from_attributes=True) for row in rows]
    )
