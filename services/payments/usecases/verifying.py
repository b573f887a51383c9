"""Whether what is kept beside the events is what they make, and making it so again."""

from typing import Final
from uuid import UUID

from services.payments.domain.events import canonical
from services.payments.store import payments as store
from suuupra.db import Database

PAGE: Final = 200


async def differences(database: Database) -> list[UUID]:
    """The payments whose kept fold is not, byte for byte, what their events make (check M14)."""
    found, after = list[UUID](), UUID(int=0)
    while True:
        async with database.reading() as tx:
            page = await store.kept_after(tx, after, PAGE)
        if not page:
            return found
        for payment_id, _, _ in page:
            if not await _same(database, payment_id):
                found.append(payment_id)
        after = page[-1][0]


async def _same(database: Database, payment_id: UUID) -> bool:
    """Compared while the payment is locked, so that one that is changing is no difference."""
    async with database.transaction() as tx:
        payment = await store.lock(tx, payment_id)
        kept = await store.kept(tx, payment_id)
    return payment is not None and canonical(payment) == kept


async def rebuild(database: Database) -> int:
    """Replace every fold that differs; how many there were."""
    wrong = await differences(database)
    for payment_id in wrong:
        async with database.transaction() as tx:
            payment = await store.lock(tx, payment_id)
            if payment is not None:
                await store.rebuild(tx, payment)
    return len(wrong)
