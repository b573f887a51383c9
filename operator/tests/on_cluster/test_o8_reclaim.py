"""O8: what is kept, deleted, dumped; a finalizer that never sticks for good."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg

from suuupra.testing.containers import docker

from .api import NO_PODS, Api
from .machines import ROOT
from .process import Crew, OperatorProcess
from .waiting import eventually

KEPT: dict[str, Any] = NO_PODS | {
    "database": {},
    "buckets": [{"name": "media"}],
    "events": {"publishes": [{"topic": "order.created", "partitions": 1}]},
}


async def test_o8_retain_keeps_the_data_and_takes_the_logins_away(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", KEPT)
    await api.ready("shop")
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert api.servers.databases() == {"shop"}
    assert set(api.servers.topics()) == {"order.created", "order.created.dlt"}
    assert api.servers.buckets() == {"shop-media"}
    assert api.servers.users() == {}
    assert api.servers.psql("select count(*) from pg_roles where rolcanlogin and rolname like 'shop%'") == [
        "0"
    ]

    await api.service("shop", KEPT)  # and it is there again for whoever comes back
    await api.ready("shop")


async def test_o8_delete_deletes(api: Api, operator: OperatorProcess) -> None:
    spec = NO_PODS | {
        "database": {"reclaim": "Delete"},
        "buckets": [{"name": "media", "reclaim": "Delete"}],
        "events": {"reclaim": "Delete", "publishes": [{"topic": "order.created", "partitions": 1}]},
    }
    await api.service("shop", spec)
    await api.ready("shop")
    api.servers.s3.put_object(Bucket="shop-media", Key="a", Body=b"a")
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert api.servers.databases() == set()
    assert api.servers.roles() == []
    assert api.servers.topics() == {}
    assert (api.servers.buckets(), api.servers.users()) == (set(), {})


async def test_o8_snapshot_keeps_a_dump_that_can_be_restored_and_deletes_the_database(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", NO_PODS | {"database": {"reclaim": "Snapshot"}})
    await api.ready("shop")
    await _written(api)
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert api.servers.databases() == set()
    assert api.servers.roles() == []
    api.servers.restore_snapshot("shop", "restored")
    assert api.servers.psql("select word from kept", "restored") == ["whole"]


async def test_o8_a_deletion_waits_for_a_server_that_is_away_and_says_so(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", KEPT | {"database": {"reclaim": "Delete"}})
    await api.ready("shop")
    docker("pause", api.servers.postgres.id)
    try:
        await api.delete("SuuupraService", "shop")
        waiting = await api.until("shop", "Ready", reason="WaitingToDelete", within=60)
        assert "suuupra.io/release=true" in waiting["message"]
    finally:
        docker("unpause", api.servers.postgres.id)
    await api.gone("SuuupraService", "shop")
    assert api.servers.databases() == set()


async def test_o8_release_lets_go_at_once_and_records_what_stays(api: Api, operator: OperatorProcess) -> None:
    shop = await api.service("shop", KEPT | {"database": {"reclaim": "Delete"}})
    await api.ready("shop")
    docker("pause", api.servers.postgres.id)
    try:
        await api.annotate("shop", release="true")
        await api.delete("SuuupraService", "shop")
        await api.gone("SuuupraService", "shop", within=20)
    finally:
        docker("unpause", api.servers.postgres.id)
    record = (await api.must("ConfigMap", "suuupra-orphans", "suuupra-system"))["data"]
    line = record[f"suuupra.shop.{shop['metadata']['uid']}"]
    assert "database/shop" in line
    assert "topic/order.created" in line
    assert "bucket/shop-media" in line
    assert api.servers.databases() == {"shop"}


async def test_o8_platform_and_services_deleted_together_all_end(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", KEPT | {"database": {"reclaim": "Delete"}})
    await api.ready("shop")

    await api.delete("SuuupraPlatform", "suuupra", "")
    await api.delete("SuuupraService", "shop")

    await api.gone("SuuupraService", "shop")
    await api.gone("SuuupraPlatform", "suuupra", namespace="")
    assert api.servers.databases() == set()


async def test_o8_a_deleted_namespace_ends(api: Api, alone: Crew) -> None:
    """With the rights that the chart gives, which go with the namespace while the operator still needs them."""
    async with _installed(api):
        await api.service("shop", KEPT | {"database": {"reclaim": "Delete"}})
        await api.ready("shop", 90)

        api.kind.kubectl("delete", "namespace", "suuupra", "--wait=false")

        async def ended() -> bool:
            return api.kind.kubectl("get", "namespace", "suuupra", check=False).returncode != 0

        await eventually(ended, 90, "the namespace is gone")
        assert api.servers.databases() == set()
    api.kind.kubectl("apply", "-f", str(ROOT / "manifests" / "namespaces.yaml"))


async def test_o8_uninstalling_the_chart_lets_every_resource_go(api: Api, alone: Crew) -> None:
    async with _installed(api, "--set", "replicas=2"):
        await api.service("shop", NO_PODS | {"database": {"reclaim": "Delete"}})
        await api.service("left", NO_PODS | {"database": {"reclaim": "Snapshot"}})
        await api.ready("left", 90)
        await api.delete("SuuupraService", "left")
        await api.gone("SuuupraService", "left")
        api.servers.restore_snapshot("left", "restored")
        await api.ready("shop", 90)
        api.kind.helm("test", "suuupra", "--namespace", "suuupra-system", "--timeout", "60s")

    for kind, name, namespace in (("SuuupraService", "shop", "suuupra"), ("SuuupraPlatform", "suuupra", "")):
        assert (await api.must(kind, name, namespace))["metadata"].get("finalizers", []) == []
    assert await api.get("Deployment", "shop") is not None
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop", 20)
    assert api.servers.databases() == {"shop", "restored"}


async def test_o8_uninstalling_an_operator_that_never_led_ends(api: Api, alone: Crew) -> None:
    """Its image could not be had, say, and somebody has cleared away what could not start."""
    await api.delete("ConfigMap", "suuupra-orphans", "suuupra-system")
    api.kind.install()
    api.kind.kubectl("delete", "deployment", "suuupra-operator", "-n", "suuupra-system")
    await api.forget_lease()
    api.kind.uninstall()
    assert await api.get("ConfigMap", "suuupra-orphans", "suuupra-system") is not None


@contextlib.asynccontextmanager
async def _installed(api: Api, *values: str) -> AsyncIterator[None]:
    """The operator as its users have it, until it is uninstalled."""
    await api.delete("ConfigMap", "suuupra-orphans", "suuupra-system")  # helm takes over only what it made
    api.kind.install("--wait", *values)
    try:
        yield
    finally:
        api.kind.uninstall()


async def _written(api: Api) -> None:
    """A row that must not be lost."""
    url = (await api.secret("shop-db-owner"))["url"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("create table kept as select 'whole' as word")
