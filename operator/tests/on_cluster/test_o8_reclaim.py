"""O8: what is kept, deleted, dumped; a finalizer that never sticks for good."""

from __future__ import annotations

from typing import Any

import boto3

from suuupra.testing.containers import docker

from .api import NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually

KEPT: dict[str, Any] = NO_PODS | {
    "database": {},
    "buckets": [{"name": "media"}],
    "events": {"publishes": [{"topic": "order.created", "partitions": 1}]},
}


def _databases(api: Api) -> set[str]:
    return set(api.servers.psql("select datname from pg_database where not datistemplate")) - {"postgres"}


def _s3(api: Api) -> Any:
    servers = api.servers
    session = boto3.session.Session(servers.ACCESS_KEY, servers.SECRET_KEY, region_name="us-east-1")
    return session.client("s3", endpoint_url=f"http://127.0.0.1:{servers.objects.port}")


async def test_o8_retain_keeps_the_data_and_takes_the_logins_away(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", KEPT)
    await api.ready("shop")
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert _databases(api) == {"shop"}
    assert set(api.servers.topics()) == {"order.created", "order.created.dlt"}
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
    _s3(api).put_object(Bucket="shop-media", Key="a", Body=b"a")
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert _databases(api) == set()
    assert api.servers.psql("select count(*) from pg_roles where rolname like 'shop%'") == ["0"]
    assert api.servers.topics() == {}
    assert "shop-media" not in {bucket["Name"] for bucket in _s3(api).list_buckets()["Buckets"]}


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
    assert _databases(api) == set()


async def test_o8_release_lets_go_at_once_and_records_what_stays(api: Api, operator: OperatorProcess) -> None:
    await api.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "suuupra-orphans", "namespace": "suuupra-system"},
        }
    )
    await api.service("shop", KEPT | {"database": {"reclaim": "Delete"}})
    await api.ready("shop")
    docker("pause", api.servers.postgres.id)
    try:
        await api.annotate("shop", release="true")
        await api.delete("SuuupraService", "shop")
        await api.gone("SuuupraService", "shop", within=20)
    finally:
        docker("unpause", api.servers.postgres.id)
    record = (await api.must("ConfigMap", "suuupra-orphans", "suuupra-system"))["data"]
    (line,) = [text for key, text in record.items() if key.startswith("suuupra.shop.")]
    assert "database/shop" in line
    assert "topic/order.created" in line
    assert _databases(api) == {"shop"}
    await api.delete("ConfigMap", "suuupra-orphans", "suuupra-system")


async def test_o8_platform_and_services_deleted_together_all_end(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", KEPT | {"database": {"reclaim": "Delete"}})
    await api.ready("shop")

    await api.delete("SuuupraPlatform", "suuupra", "")
    await api.delete("SuuupraService", "shop")

    await api.gone("SuuupraService", "shop")
    await api.gone("SuuupraPlatform", "suuupra", namespace="")
    assert _databases(api) == set()


async def test_o8_a_deleted_namespace_ends(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", KEPT | {"database": {"reclaim": "Delete"}})
    await api.ready("shop")

    api.kind.kubectl("delete", "namespace", "suuupra", "--wait=false")

    async def ended() -> bool:
        return api.kind.kubectl("get", "namespace", "suuupra", check=False).returncode != 0

    await eventually(ended, 90, "the namespace is gone")
    assert _databases(api) == set()
    api.kind.kubectl("create", "namespace", "suuupra")
