"""The books are signed while they are verified, and by several at once: nobody is accused of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.ledger.clients.keys import CheckpointKeys
from services.ledger.settings import Settings
from services.ledger.tests.books import CASH, SALES, Books
from services.ledger.usecases import verifying
from services.ledger.usecases.checkpoints import Signer
from services.ledger.usecases.verifying import Outside
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.objects import ObjectStore, StoredObject
from suuupra.secrets_store import SecretsStore

pytestmark = pytest.mark.integration

ORIGIN = "http://here"


class Meanwhile(ObjectStore):
    """The object store; as soon as it has said what there is, something happens."""

    happens: Callable[[], Awaitable[object]]

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """All objects that there were before it happened."""
        there = [stored async for stored in super().list(prefix)]
        await self.happens()
        for stored in there:
            yield stored


async def test_m12_a_checkpoint_that_is_signed_while_the_books_are_verified_is_no_finding(
    books: Books, database: Database, secrets: SecretsStore, clock: FakeClock, ledger_settings: Settings
) -> None:
    keys, objects = CheckpointKeys(secrets, "ledger"), Meanwhile.of(ledger_settings, "checkpoints")
    signer = Signer(database, objects, keys, clock, ORIGIN)
    await books.open(CASH, SALES)
    await signer.sign()

    async def posted_and_signed() -> None:
        await books.move(CASH, SALES, 5)
        await signer.sign()

    objects.happens = posted_and_signed
    for known in (1, 2):
        report = await verifying.verify(database, Outside(objects, keys, ORIGIN))
        assert report.findings == []
        assert report.checkpoints == known
