"""What web asks of the UPI switch, for support: how payments went over the rail."""

from __future__ import annotations

from typing import ClassVar

from services.upi_core.contract import Transactions, TransactionView
from services.web.clients.calling import Service, segment


class Rail(Service):
    """The switch."""

    name: ClassVar[str] = "upi-core"

    async def tried(self, reference: str, bearer: str) -> list[TransactionView]:
        """Everything that was tried under a merchant's reference, the oldest first."""
        return (
            await self.get(Transactions, "/v1/upi/transactions", {"ref_id": reference}, bearer=bearer)
        ).items

    async def transaction(self, id_: str, bearer: str) -> TransactionView:
        """One transaction; NotFound."""
        return await self.get(TransactionView, f"/v1/upi/transactions/{segment(id_)}", bearer=bearer)
