"""Whether what is kept beside the events is what they make, and making it so again; and what nobody has answered."""

from datetime import datetime
from typing import Final
from uuid import UUID

from services.payments.clients.rails import Rails
from services.payments.domain.events import canonical
from services.payments.store import payments as store
from suuupra.db import Database, Transaction

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


async def unanswered(tx: Transaction, rails: Rails, now: datetime) -> dict[str, float]:
    """For attempts and for refunds, how many seconds ago the time for questions about the oldest open one ended.

    0: there is none that nobody asks about any more. Who is asked no more is found out about by people.
    """
    longest = {"attempt": 0.0, "refund": 0.0}
    for name, of, begun_at in await store.oldest_open(tx):
        window = (await rails.named(tx, name)).rules.check_window
        longest[of] = max(longest[of], (now - begun_at - window).total_seconds())
    return longest
