"""O8: what is kept, deleted, dumped; a finalizer that never sticks for good.

Every test takes leave of a resource of its own; all of them are made at once, since a migration's pod takes longer to come
and go than most of what is asked here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest_asyncio

from .api import NO_PODS, Api
from .machines import logs_in
from .outage import away
from .process import Crew


def _kept(name: str, reclaim: str = "Retain") -> dict[str, Any]:
    """A database, a bucket and a topic, which keeps its events; only what happens to the database is asked for."""
    published = [{"topic": f"{name}.made", "partitions": 1}]
    return NO_PODS | {
        "database": {"reclaim": reclaim},
        "buckets": [{"name": "media"}],
        "events": {"publishes": published},
    }


def _deleted(name: str) -> dict[str, Any]:
    published = [{"topic": f"{name}.made", "partitions": 1}]
    return NO_PODS | {
        "database": {"reclaim": "Delete"},
        "buckets": [{"name": "media", "reclaim": "Delete"}],
        "events": {"reclaim": "Delete", "publishes": published},
    }


SPECS = {
    "kept": _kept("kept"),
    "deleted": _deleted("deleted"),
    "dumped": NO_PODS | {"database": {"reclaim": "Snapshot"}},
    "of-postgres": NO_PODS | {"database": {"reclaim": "Delete"}},
    "of-kafka": NO_PODS | {"events": _deleted("of-kafka")["events"]},
    "of-objects": NO_PODS | {"buckets": _deleted("of-objects")["buckets"]},
    "released": _kept("released", "Delete"),
    "winner": NO_PODS,
    "loser": NO_PODS | {"database": {"name": "moved", "reclaim": "Delete"}},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(connected: Api, crew: Crew) -> AsyncIterator[Api]:
    """All of them, Ready."""
    await connected.platform()
    await crew.stand()
    for name, spec in SPECS.items():
        await connected.service(name, spec)
    await asyncio.gather(*(connected.ready(name, 90) for name in SPECS))
    yield connected
    await connected.clean_up()


def _roles(api: Api, name: str) -> list[str]:
    """That can log in."""
    return api.servers.psql(f"select rolname from pg_roles where rolcanlogin and rolname like '{name}_%'")


async def test_o8_retain_keeps_the_data_and_takes_the_logins_away(made: Api) -> None:
    assert _roles(made, "kept") != []
    await made.delete("SuuupraService", "kept")
    await made.gone("SuuupraService", "kept")

    servers = made.servers
    assert "kept" in servers.databases()
    assert {"kept.made", "kept.made.dlt"} <= set(servers.topics())
    assert "kept-media" in servers.buckets()
    assert "suuupra.kept" not in servers.users()
    assert _roles(made, "kept") == []

    await made.service("kept", SPECS["kept"])  # and it is there again for whoever comes back
    await made.ready("kept")


async def test_o8_delete_deletes(made: Api) -> None:
    servers = made.servers
    servers.s3.put_object(Bucket="deleted-media", Key="a", Body=b"a")
    await made.delete("SuuupraService", "deleted")
    await made.gone("SuuupraService", "deleted")

    assert "deleted" not in servers.databases()
    assert not [role for role in servers.roles() if role.startswith("deleted")]
    assert not [topic for topic in servers.topics() if topic.startswith("deleted")]
    assert "deleted-media" not in servers.buckets()
    assert "suuupra.deleted" not in servers.users()


async def test_o8_snapshot_keeps_a_dump_that_can_be_restored_and_deletes_the_database(made: Api) -> None:
    await _written(made, "dumped")
    await made.delete("SuuupraService", "dumped")
    await made.gone("SuuupraService", "dumped")

    servers = made.servers
    assert "dumped" not in servers.databases()
    assert not [role for role in servers.roles() if role.startswith("dumped")]
    servers.restore_snapshot("dumped", "restored")
    assert servers.psql("select word from kept", "restored") == ["whole"]


async def test_o8_a_deletion_waits_for_a_server_that_is_away_says_so_and_ends_when_it_is_back(
    made: Api,
) -> None:
    servers = made.servers
    waits = {"of-postgres": "PostgreSQL", "of-kafka": "Kafka", "of-objects": "ObjectStore"}
    servers.s3.put_object(Bucket="of-objects-media", Key="a", Body=b"a")
    with away(servers.postgres, servers.kafka, servers.objects):
        for name in waits:
            await made.delete("SuuupraService", name)
        for name, server in waits.items():
            waiting = await made.until(name, "Ready", reason="WaitingToDelete", within=60)
            assert f"{server} does not answer" in waiting["message"]
            assert "suuupra.io/release=true" in waiting["message"]
    for name in waits:
        await made.gone("SuuupraService", name)
    left = {*servers.databases(), *servers.roles(), *servers.topics(), *servers.buckets(), *servers.users()}
    assert [thing for thing in left if thing.startswith(("of-", "of_", "suuupra.of-"))] == []


async def test_o8_release_lets_go_at_once_and_records_what_stays(made: Api) -> None:
    released = await made.must("SuuupraService", "released")
    with away(made.servers.postgres):
        await made.annotate("released", release="true")
        await made.delete("SuuupraService", "released")
        await made.gone("SuuupraService", "released", within=20)
    record = (await made.must("ConfigMap", "suuupra-orphans", "suuupra-system"))["data"]
    line = record[f"suuupra.released.{released['metadata']['uid']}"]
    assert "database/released" in line
    assert "topic/released.made" in line
    assert "bucket/released-media" in line
    assert "released" in made.servers.databases()


async def test_o8_what_another_adopted_outlives_the_resource_that_had_it(made: Api) -> None:
    await _written(made, "loser")
    await made.service("winner", NO_PODS | {"database": {"name": "moved"}})
    refused = await made.until("winner", "DatabaseReady", reason="ResourceConflict")
    assert "belongs to resource suuupra/loser" in refused["message"], "the older one's edit takes nothing"
    assert (await made.condition("loser"))["status"] == "True"

    await made.annotate("winner", adopt="moved")
    await made.ready("winner", 90)
    await made.delete("SuuupraService", "loser")
    await made.gone("SuuupraService", "loser")

    assert made.servers.psql("select word from kept", "moved") == ["whole"]
    for secret in ("winner-db", "winner-db-owner"):
        assert logs_in((await made.secret(secret))["url"])


async def _written(api: Api, name: str) -> None:
    """A row that must not be lost."""
    url = (await api.secret(f"{name}-db-owner"))["url"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("create table kept as select 'whole' as word")
