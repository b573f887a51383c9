"""O20: killed after a write of any kind, it converges: nothing double, nothing orphaned.

One resource is made, changed and left by operators that die one after the other: each is killed by SIGKILL after its
first write of one kind, and the next one goes on from whatever it finds, until that dies at the next kind. Children are
written side by side, so each kind of child is also missed by itself, and killed at.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
import redis
from suuupra_operator import kinds
from suuupra_operator.kinds import JOB
from suuupra_operator.snapshots import BUCKET as SNAPSHOTS
from suuupra_operator.writes import Write

from .api import NAMESPACE, NO_PODS, Api
from .process import Crew, OperatorProcess
from .waiting import eventually

MAKING = (
    Write.FINALIZER_ADDED,
    Write.STATUS,
    Write.ROLES,
    Write.DATABASE_CREATED,
    Write.DATABASE_PREPARED,
    Write.CHILD_APPLIED,
    Write.TOPICS_CREATED,
    Write.BUCKET_CREATED,
    Write.USER_CREATED,
    Write.POLICY_PUT,
    Write.KEY_CREATED,
    Write.KEY_DELETED,
    Write.VAULT_POLICY_PUT,
    Write.VAULT_ROLE_PUT,
    Write.CACHE_USER_PUT,
    f"{Write.CHILD_APPLIED}.{JOB.name}",
    Write.EVENT,
)
CHANGING = (
    Write.LOGIN,
    Write.PARTITIONS_ADDED,
    Write.TOPIC_CONFIGURED,
    Write.CHILD_STRIPPED,
    Write.LOGIN_RETIRED,
)
LEAVING = (
    Write.CHILD_DELETED,
    Write.SNAPSHOT_STORED,
    Write.DATABASE_DROPPED,
    Write.ROLES_DROPPED,
    Write.TOPICS_DELETED,
    Write.USER_DELETED,
    Write.BUCKET_DELETED,
    Write.VAULT_ROLE_DELETED,
    Write.VAULT_POLICY_DELETED,
    Write.VAULT_EMPTIED,
    Write.CACHE_USER_DELETED,
    Write.CACHE_EMPTIED,
    Write.FINALIZER_REMOVED,
)
RELEASING = (Write.ORPHANS_RECORDED,)
CHILDREN = {
    "ConfigMap": ["shop-dashboard", "shop-rules"],
    "Deployment": ["shop", "shop-worker"],
    "NetworkPolicy": ["shop"],
    "PodDisruptionBudget": ["shop"],
    "Secret": ["shop-cache", "shop-db", "shop-db-owner", "shop-objects"],
    "Service": ["shop"],
    "ServiceAccount": ["shop"],
}
SCALED = CHILDREN | {"HorizontalPodAutoscaler": ["shop"]}
OF_RAILS = (Write.RAIL_REGISTERED, Write.PARTICIPANT_REMOVED, Write.RAIL_DEREGISTERED)
"""Killed at in test_rails.py, where there is a rail."""

PUBLISHED = {"topic": "order.created", "partitions": 2, "retention": "1h"}
WHOLE: dict[str, Any] = NO_PODS | {
    "database": {"reclaim": "Snapshot"},
    "buckets": [{"name": "media", "reclaim": "Delete"}],
    "secrets": {"reclaim": "Delete"},
    "cache": True,
    "events": {"reclaim": "Delete", "publishes": [PUBLISHED]},
}
CHANGED = WHOLE | {
    "replicas": {"min": 1, "max": 2},
    "events": {"reclaim": "Delete", "publishes": [PUBLISHED | {"partitions": 4, "retention": "2h"}]},
}
LOGINS = "select rolname from pg_roles where rolname like 'shop%' and rolcanlogin order by 1"
pytestmark = pytest.mark.timeout(600)


def test_o20_every_kind_of_write_is_killed_at() -> None:
    points = {*MAKING, *CHANGING, *LEAVING, *RELEASING, *OF_RAILS}
    points |= {f"{Write.CHILD_APPLIED}.{kind}" for kind in SCALED}
    assert points == {*Write, *(f"{Write.CHILD_APPLIED}.{kind.name}" for kind in kinds.CHILDREN)}


async def test_o20_killed_after_a_write_of_each_kind_while_making_it_converges(api: Api, alone: Crew) -> None:
    await _settled(api, alone)
    await api.service("shop", WHOLE)

    await _killed_at_each(alone, MAKING)

    await alone.stand()
    await api.ready("shop")
    await _is_made_once(api, partitions=2)


async def test_o20_killed_after_a_write_of_each_kind_while_changing_and_releasing_it_converges(
    api: Api, alone: Crew
) -> None:
    await _made(api, alone)
    await api.service("shop", CHANGED, rotate="once")
    api.kind.kubectl("-n", NAMESPACE, "set", "env", "deployment/shop", "ADDED=by-hand")

    await _killed_at_each(alone, CHANGING)

    await alone.stand()
    await api.ready("shop")
    await _is_made_once(api, partitions=4, children=SCALED)
    (container,) = (await api.must("Deployment", "shop"))["spec"]["template"]["spec"]["containers"]
    assert "ADDED" not in {variable["name"] for variable in container["env"]}
    assert api.servers.topic_config("order.created")["retention.ms"] == "7200000"

    await alone.end()
    await _killed_at_each_kind_of_child(api, alone)
    await alone.stand()
    await api.ready("shop")
    await _is_made_once(api, partitions=4, children=SCALED)

    await alone.end()
    shop = await api.must("SuuupraService", "shop")
    await api.annotate("shop", release="true")
    await api.delete("SuuupraService", "shop")

    await _killed_at_each(alone, RELEASING)

    await alone.stand()
    await api.gone("SuuupraService", "shop")
    record = (await api.must("ConfigMap", "suuupra-orphans", "suuupra-system"))["data"]
    assert f"suuupra.shop.{shop['metadata']['uid']}" in record
    assert api.servers.databases() == {"shop"}


async def test_o20_killed_after_a_write_of_each_kind_while_leaving_it_ends_without_orphan(
    api: Api, alone: Crew
) -> None:
    await _made(api, alone)
    with psycopg.connect((await api.secret("shop-db-owner"))["url"], autocommit=True) as connection:
        connection.execute("create table kept as select 'whole' as word")
    api.servers.secrets.keep("shop/key", private="1")
    await api.delete("SuuupraService", "shop")

    await _killed_at_each(alone, LEAVING)

    await alone.stand()
    await api.gone("SuuupraService", "shop")
    servers = api.servers
    assert (servers.databases(), servers.roles(), servers.topics(), servers.users()) == (set(), [], {}, {})
    assert servers.buckets() == {SNAPSHOTS}
    secrets = servers.secrets
    assert (secrets.policies(), secrets.roles(), secrets.kept("shop/key")) == (set(), set(), None)
    assert servers.cache_users() == set()
    servers.restore_snapshot("shop", "restored")
    assert servers.psql("select word from kept", "restored") == ["whole"]


async def _killed_at_each(crew: Crew, points: Sequence[str]) -> None:
    """One operator after the other, each killed at the first write of one kind, the next one standing by."""
    process = _doomed(crew, points[0])
    for point, following in zip(points, [*points[1:], None], strict=True):
        await eventually(lambda: process.leads() or process.ended(), 60, process.log)  # noqa: B023 - asked at once
        successor = _doomed(crew, following) if following else None
        await _killed(crew, process, point)
        process = successor or process


async def _killed_at_each_kind_of_child(api: Api, crew: Crew) -> None:
    """All of one kind are missing, and the operator that makes them is killed after the first."""
    for kind, names in SCALED.items():
        for name in names:
            await api.delete(kind, name)
            await api.gone(kind, name)
        point = f"{Write.CHILD_APPLIED}.{kind}"
        await _killed(crew, _doomed(crew, point), point)


async def _killed(crew: Crew, process: OperatorProcess, point: str) -> None:
    code = await process.died(60, f"its {point}")
    assert code == -signal.SIGKILL, f"not killed at {point}: {process.log()[-2000:]}"
    await crew.forget_lease()


def _doomed(crew: Crew, point: str) -> OperatorProcess:
    return crew.start(SUUUPRA_FAILPOINTS=f"operator.{point}")


async def _settled(api: Api, crew: Crew) -> None:
    """The platform is known, so that the first writes of the next operator are about the resource."""
    await crew.stand()
    await api.ready("suuupra", kind="SuuupraPlatform", namespace="")
    await crew.end()


async def _made(api: Api, crew: Crew) -> None:
    await crew.stand()
    await api.service("shop", WHOLE)
    await api.ready("shop")
    await crew.end()


async def _is_made_once(api: Api, *, partitions: int, children: dict[str, list[str]] = CHILDREN) -> None:
    """Everything is there, once, and works. What was deleted while nobody looked makes no condition untrue."""

    async def complete() -> bool:
        found: dict[str, list[str]] = {}
        for child in await api.children("shop"):
            found.setdefault(child["kind"], []).append(child["metadata"]["name"])
        assert len(found.pop(JOB.name)) == 1
        return {kind: sorted(names) for kind, names in found.items()} == children

    await eventually(complete, 30, f"its children are {children}")
    servers = api.servers
    assert servers.topics() == {"order.created": partitions, "order.created.dlt": 1}
    assert servers.databases() == {"shop"}
    assert servers.roles() == ["shop_app", "shop_app_a", "shop_app_b", "shop_migrate", "shop_owner"]

    async def one_login() -> bool:
        held = (await api.secret("shop-db"))["username"]
        return servers.psql(LOGINS) == [held, "shop_migrate"]

    await eventually(one_login, 30, lambda: f"the one login that is held, but {servers.psql(LOGINS)}")
    for secret in ("shop-db", "shop-db-owner"):
        psycopg.connect((await api.secret(secret))["url"], connect_timeout=5).close()
    await _key_works(api)
    assert (servers.secrets.policies(), servers.secrets.roles()) == ({"suuupra-shop"}, {"suuupra-shop"})
    assert servers.cache_users() == {"suuupra.shop"}
    with redis.Redis.from_url((await api.secret("shop-cache"))["url"]) as cache:
        assert cache.set("suuupra.shop:a", "1")


async def _key_works(api: Api) -> None:
    """The bucket, its one user, and that user's one key."""
    key, servers = await api.secret("shop-objects"), api.servers
    assert servers.buckets() == {"shop-media"}
    assert servers.users() == {"suuupra.shop": [key["accessKey"]]}
    s3 = servers.store("s3", key["accessKey"], key["secretKey"])
    s3.put_object(Bucket="shop-media", Key="a", Body=b"a")
