"""The books are signed while they are verified, and by several at once: nobody is accused of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from joserfc.jwk import ECKey

from services.ledger.clients.keys import CheckpointKeys
from services.ledger.domain import checkpoints
from services.ledger.settings import Settings
from services.ledger.tests.books import CASH, LEDGER, SALES, Books
from services.ledger.usecases import verifying
from services.ledger.usecases.checkpoints import Signer, stored
from services.ledger.usecases.verifying import Outside
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.objects import ObjectStore, StoredObject
from suuupra.secrets_store import SecretsStore

pytestmark = pytest.mark.integration

ORIGIN = "http://here"


class Together(CheckpointKeys):
    """Keys that are handed out only when so many ask for one: each has seen the same head, and that it is not signed."""

    everybody: asyncio.Barrier

    async def signing(self) -> ECKey:
        """The private key that signs."""
        await self.everybody.wait()
        return await super().signing()


class Died(Exception):
    """The process is no more."""


class Deadly(ObjectStore):
    """The object store; whoever puts something into it does not live to hear so."""

    async def create(self, key: str, data: bytes, *, content_type: str) -> StoredObject:
        """Store an object."""
        await super().create(key, data, content_type=content_type)
        raise Died


class Meanwhile(ObjectStore):
    """The object store; as soon as it has said what there is, something happens."""

    happens: Callable[[], Awaitable[object]]

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """All objects that there were before it happened."""
        there = [found async for found in super().list(prefix)]
        await self.happens()
        for found in there:
            yield found


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


async def test_m12_of_several_who_sign_one_head_at_once_one_is_believed_by_all(
    books: Books, database: Database, secrets: SecretsStore, clock: FakeClock, bucket: ObjectStore
) -> None:
    await books.open(CASH, SALES)
    everybody, signers = asyncio.Barrier(4), []
    for _ in range(everybody.parties):
        keys = Together(secrets, "ledger")
        keys.everybody = everybody
        signers.append(Signer(database, bucket, keys, clock, ORIGIN))
    made = await asyncio.gather(*(signer.sign() for signer in signers))
    assert len({it.signed for it in made if it is not None}) == 1
    report = await verifying.verify(database, Outside(bucket, CheckpointKeys(secrets, "ledger"), ORIGIN))
    assert (report.findings, report.checkpoints) == ([], 1)


async def test_m12_what_a_signer_put_away_who_then_died_is_what_the_next_one_finds(
    books: Books, database: Database, secrets: SecretsStore, clock: FakeClock, ledger_settings: Settings
) -> None:
    """Also when the key was rotated in between, and the next one knows only the old one."""
    await books.open(CASH, SALES)
    survivors = CheckpointKeys(secrets, "ledger")
    await survivors.signing()
    rotated = CheckpointKeys(secrets, "ledger")
    await rotated.rotate()
    deadly = Deadly.of(ledger_settings, "checkpoints")
    with pytest.raises(Died):
        await Signer(database, deadly, rotated, clock, ORIGIN).sign()
    clock.advance(60)
    bucket = ObjectStore.of(ledger_settings, "checkpoints")
    made = await Signer(database, bucket, survivors, clock, ORIGIN).sign()
    assert made is not None
    assert made.signed == await stored(bucket, checkpoints.object_key(made.size))
    assert made.key_id == (await rotated.signing()).kid
    report = await verifying.verify(database, Outside(bucket, CheckpointKeys(secrets, "ledger"), ORIGIN))
    assert (report.findings, report.checkpoints) == ([], 1)


async def test_m12_what_is_put_away_under_a_checkpoints_name_is_not_signed_over(
    books: Books, bucket: ObjectStore
) -> None:
    await books.open(CASH, SALES)
    place = checkpoints.object_key(2)
    await bucket.put(place, b"no checkpoint", content_type="text/plain")
    answer = await books.client.post(f"{LEDGER}/checkpoints")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:suuupra:problem:checkpoint-contradicted")
    (error,) = answer.json()["errors"]
    assert error["field"] == place
    assert "ledger verify" in error["fix"]
    assert await stored(bucket, place) == "no checkpoint"
