"""Proofs and checkpoints, checked as an outsider would: with nothing but the answers and the public keys."""

import json

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy import text

from services.ledger.clients.keys import CheckpointKeys
from services.ledger.domain import checkpoints, merkle
from services.ledger.domain.checkpoints import BadCheckpoint
from services.ledger.domain.sealing import leaf_of
from services.ledger.tests.books import CASH, LEDGER, SALES, Books
from services.ledger.tests.events import payment
from services.ledger.usecases import recording
from services.ledger.usecases.checkpoints import Checkpointer, Signer
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.objects import ObjectStore
from suuupra.secrets_store import SecretsStore
from suuupra.testing.secrets import MemorySecrets

pytestmark = pytest.mark.integration


async def post_payments(database: Database, clock: FakeClock, count: int) -> None:
    async with database.transaction() as tx:
        await recording.succeeded(tx, clock, [payment(number, 0) for number in range(1, count + 1)])


async def test_every_journal_is_proven_in_trees_of_every_size(
    books: Books, database: Database, clock: FakeClock
) -> None:
    await post_payments(database, clock, 300)
    ids = [row["id"] for row in (await books.get("/journals", limit=100))["items"]]
    for journal_id, size in ((ids[0], None), (ids[50], 280), (ids[-1], 300), (ids[-1], None)):
        query = {} if size is None else {"size": size}
        proof = await books.get(f"/journals/{journal_id}/proof", **query)
        assert leaf_of(proof["record"].encode()).hex() == proof["leaf"]
        assert json.loads(proof["record"])["id"] == journal_id
        path = [bytes.fromhex(step) for step in proof["path"]]
        leaf = bytes.fromhex(proof["leaf"])
        root = merkle.root_from_inclusion(proof["sequence"] - 1, proof["size"], leaf, path)
        assert root.hex() == proof["root"]
    assert proof["root"] == (await books.get("/head"))["root"]


async def test_the_tree_is_proven_to_have_only_grown(
    books: Books, database: Database, clock: FakeClock
) -> None:
    await post_payments(database, clock, 20)
    before = await books.get("/head")
    await post_payments(database, clock, 600)
    after = await books.get("/head")
    proof = await books.get("/consistency", first=before["size"])
    assert (proof["first_root"], proof["second_root"]) == (before["root"], after["root"])
    path = [bytes.fromhex(step) for step in proof["path"]]
    roots = merkle.roots_from_consistency(before["size"], after["size"], bytes.fromhex(before["root"]), path)
    assert [root.hex() for root in roots] == [before["root"], after["root"]]


async def test_a_proof_of_what_cannot_be_is_refused(
    books: Books, database: Database, clock: FakeClock
) -> None:
    await post_payments(database, clock, 3)
    (latest,) = (await books.get("/journals", limit=1))["items"]
    for path, query, field in (
        (f"/journals/{latest['id']}/proof", {"size": 1}, "query.size"),
        (f"/journals/{latest['id']}/proof", {"size": 1000}, "query.size"),
        ("/consistency", {"first": 1000}, "query.first"),
        ("/consistency", {"first": 2, "second": 1000}, "query.second"),
    ):
        answer = await books.client.get(f"{LEDGER}{path}", params=query)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_checkpoint_is_signed_once_per_head_put_outside_and_verifies_with_the_published_key(
    books: Books, bucket: ObjectStore
) -> None:
    assert (await books.client.post(f"{LEDGER}/checkpoints")).status_code == 404
    await books.open(CASH, SALES)
    first = (await books.client.post(f"{LEDGER}/checkpoints")).json()
    assert (await books.client.post(f"{LEDGER}/checkpoints")).json() == first
    assert await books.get("/checkpoints/2") == first
    (key,) = (await books.get("/keys"))["keys"]
    assert "d" not in key
    payload = jws.deserialize_compact(first["signed"], ECKey.import_key(key), algorithms=["ES256"]).payload
    head = await books.get("/head")
    assert json.loads(payload)["root"] == first["root"] == head["root"]
    async with bucket.open_read(checkpoints.object_key(2)) as stored:
        assert b"".join([chunk async for chunk in stored.chunks()]).decode() == first["signed"]
    await books.move(CASH, SALES, 5)
    second = (await books.client.post(f"{LEDGER}/checkpoints")).json()
    assert [it["size"] for it in (await books.get("/checkpoints"))["items"]] == [second["size"], 2]
    (latest,) = (await books.get("/journals", limit=1))["items"]
    proof = await books.get(f"/journals/{latest['id']}/proof")
    assert proof["checkpoint"] == second


async def test_a_checkpoint_of_another_hand_is_none() -> None:
    ours, theirs = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
    from datetime import UTC, datetime

    now = datetime(2026, 1, 1, tzinfo=UTC)
    keys = {str(ours.kid): ours}
    signed = checkpoints.sign(3, b"h" * 32, b"r" * 32, now, "http://here", ours)
    assert checkpoints.read(signed.text, keys) == signed
    forged = checkpoints.sign(3, b"h" * 32, b"r" * 32, now, "http://here", theirs)
    header, payload, signature = signed.text.split(".")
    others = [
        forged.text,
        f"{header}.{payload}.{forged.text.split('.')[2]}",
        f"{header}.{payload[:-2]}AA.{signature}",
        jws.serialize_compact({"alg": "ES256", "kid": ours.kid}, b"{}", ours, algorithms=["ES256"]),
        jws.serialize_compact(
            {"alg": "ES256", "kid": ours.kid, "typ": checkpoints.TYPE}, b"{}", ours, algorithms=["ES256"]
        ),
        "",
        "é",
    ]
    for text_ in others:
        with pytest.raises(BadCheckpoint):
            checkpoints.read(text_, keys)


async def test_a_rotated_key_leaves_old_checkpoints_good(secrets: SecretsStore) -> None:
    from datetime import UTC, datetime

    keys = CheckpointKeys(secrets, "ledger")
    old = await keys.signing()
    signed = checkpoints.sign(1, b"h" * 32, b"r" * 32, datetime(2026, 1, 1, tzinfo=UTC), "x", old)
    assert await keys.rotate() != old.kid
    fresh = CheckpointKeys(secrets, "ledger")
    assert (await fresh.signing()).kid != old.kid
    assert checkpoints.read(signed.text, await fresh.verifying()) == signed
    assert len(await fresh.published()) == 2


async def test_two_processes_that_need_a_key_first_agree_on_one(secrets_kept: MemorySecrets) -> None:
    stores = [SecretsStore(secrets_kept) for _ in range(2)]
    first, second = [await CheckpointKeys(store, "ledger").signing() for store in stores]
    assert first.kid == second.kid


async def test_the_checkpointer_signs_when_the_head_has_moved_and_outlives_outages(
    database: Database,
    bucket: ObjectStore,
    secrets: SecretsStore,
    secrets_kept: MemorySecrets,
    clock: FakeClock,
) -> None:
    signer = Signer(database, bucket, CheckpointKeys(secrets, "ledger"), clock, "http://here")
    checkpointer = Checkpointer(signer, clock, 60.0)
    import asyncio

    running = asyncio.create_task(checkpointer.run())
    await post_payments(database, clock, 1)
    secrets_kept.away = True
    for away in (True, False, False):
        await clock.until_sleeping()
        secrets_kept.away = away
        clock.advance(60)
    await clock.until_sleeping()
    await checkpointer.stop()
    await running
    async with database.reading() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM checkpoint")) == 1
    assert checkpointer.health() is None


async def test_journals_go_on_while_the_keys_are_away(books: Books, secrets_kept: MemorySecrets) -> None:
    secrets_kept.away = True
    await books.open(CASH, SALES)
    answer: httpx.Response = await books.client.post(f"{LEDGER}/checkpoints")
    assert answer.status_code == 503
    assert (await books.client.get(f"{LEDGER}/keys")).status_code == 503
