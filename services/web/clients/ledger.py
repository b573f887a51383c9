"""What web asks of the ledger, for support and finance: what the books say of an order."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from services.ledger.contract import Journal
from services.web.clients.calling import Service
from suuupra.pagination import Page


class Ledger(Service):
    """The books."""

    name: ClassVar[str] = "ledger"

    async def journals(self, order: UUID, bearer: str) -> list[Journal]:
        """The journals about an order."""
        path = f"/internal/v1/orders/{order}/journals"
        return (await self.get(Page[Journal], path, bearer=bearer)).items
