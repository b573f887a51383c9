"""O1: every child exists, owned, labelled, applied by one manager; whatever is done to one by hand is put right.

One resource with every part is made once and damaged again and again. Its operator reads the servers as often as one
does that nobody configured, so the times here are the real ones.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from suuupra_operator.cluster import Object
from suuupra_operator.settings import Settings

from .api import EVERY_PART, Api
from .machines import logs_in
from .process import Crew, OperatorProcess
from .waiting import eventually

BY_WATCH_SECONDS, BY_READ_SECONDS = 5.0, 30.0
KINDS = {
    "ServiceAccount": ["shop"],
    "Secret": ["shop-db", "shop-db-owner", "shop-objects"],
    "ConfigMap": ["shop-dashboard", "shop-rules"],
    "NetworkPolicy": ["shop"],
    "Service": ["shop"],
    "Deployment": ["shop", "shop-worker"],
    "HorizontalPodAutoscaler": ["shop"],
    "PodDisruptionBudget": ["shop"],
}


@dataclass
class Shop:
    """The resource, once Ready, and the operator that keeps it so."""

    api: Api
    operator: OperatorProcess
    made: Object

    def corrected(self, kind: str) -> float:
        """How often the operator says it has put one kind right."""
        return self.operator.total("drift_corrected_total", kind=kind)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing(connected: Api, crew: Crew) -> AsyncIterator[Shop]:
    await connected.platform()
    await crew.end()
    operator = crew.start(drift_seconds=str(Settings().drift_seconds))
    await operator.leading()
    made = await connected.service("shop", EVERY_PART)
    await connected.ready("shop", 90)
    yield Shop(connected, operator, made)
    await crew.end()
    await connected.clean_up()


@pytest_asyncio.fixture(loop_scope="session")
async def shop(standing: Shop) -> Shop:
    """The resource, Ready again after whatever the test before did."""
    await standing.api.ready("shop", 90)
    return standing


async def test_o1_every_child_exists_owned_labelled_and_applied_by_one_manager(shop: Shop) -> None:
    children = await shop.api.children("shop")
    names = {kind: sorted(c["metadata"]["name"] for c in children if c["kind"] == kind) for kind in KINDS}
    assert names == KINDS
    assert len([c for c in children if c["kind"] == "Job"]) == 1
    for child in children:
        meta = child["metadata"]
        assert meta["ownerReferences"][0]["uid"] == shop.made["metadata"]["uid"]
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "suuupra-operator"
        assert meta["labels"]["app.kubernetes.io/name"] == "workload"
        appliers = {m["manager"] for m in meta["managedFields"] if m["operation"] == "Apply"}
        assert appliers == {"suuupra-operator"}
        updaters = [
            m for m in meta["managedFields"] if m["operation"] == "Update" and not m.get("subresource")
        ]
        assert {m["manager"] for m in updaters} <= {"kube-controller-manager"}


@pytest.mark.parametrize("child", [kind for kind in KINDS if kind != "Secret"])
async def test_o1_a_deleted_child_comes_back_and_is_counted(shop: Shop, child: str) -> None:
    api, counted = shop.api, shop.corrected(child)
    for name in KINDS[child]:
        before = await api.must(child, name)
        await api.delete(child, name)
        began = time.monotonic()

        async def returned(name: str = name, uid: str = before["metadata"]["uid"]) -> bool:
            found = await api.get(child, name)
            return found is not None and found["metadata"]["uid"] != uid

        await eventually(returned, BY_WATCH_SECONDS, f"{child} {name} is back")
        assert time.monotonic() - began < BY_WATCH_SECONDS
    assert shop.corrected(child) == counted + len(KINDS[child])


EDITS = {
    "Service": ("shop", {"spec": {"ports": [{"name": "http", "port": 81, "protocol": "TCP"}]}}),
    "Deployment": ("shop", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}),
    "ConfigMap": ("shop-rules", {"data": {"rules.yaml": "groups: []", "extra": "by hand"}}),
    "NetworkPolicy": ("shop", {"spec": {"policyTypes": ["Ingress"]}}),
    "HorizontalPodAutoscaler": ("shop", {"spec": {"maxReplicas": 50}}),
    "PodDisruptionBudget": ("shop", {"spec": {"maxUnavailable": 100}}),
    "ServiceAccount": ("shop", {"automountServiceAccountToken": True}),
}


@pytest.mark.parametrize("child", EDITS)
async def test_o1_an_edited_child_is_put_right_and_counted(shop: Shop, child: str) -> None:
    api, counted = shop.api, shop.corrected(child)
    name, edit = EDITS[child]
    parts = ("spec", "data", "automountServiceAccountToken")
    before = {part: (await api.must(child, name)).get(part) for part in parts}

    await api.merge(child, name, edit)

    async def restored() -> bool:
        return {part: (await api.must(child, name)).get(part) for part in parts} == before

    await eventually(restored, BY_WATCH_SECONDS, f"{child} {name} as it was")
    assert shop.corrected(child) == counted + 1
    said = [event["message"] for event in await api.events("shop") if event["reason"] == "DriftCorrected"]
    assert any(text.startswith(f"{child} {name} was changed by hand") for text in said)


async def test_o1_what_is_added_by_hand_goes_and_a_restart_by_kubectl_stays(shop: Shop) -> None:
    api = shop.api
    api.kind.kubectl("-n", "suuupra", "set", "env", "deployment/shop", "ADDED=by-hand")

    async def without() -> bool:
        container = (await api.must("Deployment", "shop"))["spec"]["template"]["spec"]["containers"][0]
        return all(variable["name"] != "ADDED" for variable in container["env"])

    await eventually(without, BY_WATCH_SECONDS, "the variable is gone")
    api.kind.kubectl("-n", "suuupra", "rollout", "restart", "deployment/shop")
    api.kind.kubectl("-n", "suuupra", "rollout", "status", "deployment/shop", "--timeout=90s")
    await api.ready("shop", 90)
    template = (await api.must("Deployment", "shop"))["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


async def test_o1_a_lost_secret_becomes_a_rotation_and_the_pods_follow(shop: Shop) -> None:
    api = shop.api
    before = await api.secret("shop-db")
    await api.delete("Secret", "shop-db")

    async def back() -> bool:
        return await api.get("Secret", "shop-db") is not None

    await eventually(back, BY_WATCH_SECONDS, "the Secret is back")
    after = await api.secret("shop-db")
    assert {before["username"], after["username"]} == {"shop_app_a", "shop_app_b"}
    await api.ready("shop", 90)


async def test_o1_what_is_changed_in_kafka_and_postgres_is_put_right_and_counted(shop: Shop) -> None:
    servers, psql = shop.api.servers, shop.api.servers.psql
    url = (await shop.api.secret("shop-db"))["url"]
    owner = (await shop.api.secret("shop-db-owner"))["url"]
    counted = {kind: shop.corrected(kind) for kind in ("KafkaTopic", "PostgresRole", "PostgresDatabase")}

    servers.set_topic_config("thing.made", "retention.ms", "1000")
    servers.delete_topics("thing.made.dlt")
    psql(f"alter role {(await shop.api.secret('shop-db'))['username']} password 'changed by hand'")
    psql("alter role shop_owner superuser login")
    psql("grant pg_read_all_data to shop_app")
    psql("grant connect on database shop to public")
    psql("drop role shop_migrate")

    def right() -> bool:
        flags = psql("select rolsuper or rolcanlogin from pg_roles where rolname = 'shop_owner'")
        groups = psql("select count(*) from pg_auth_members where member = 'shop_app'::regrole")
        public = psql("select count(*) from pg_database where datname = 'shop' and datacl::text like '%{=%'")
        return (
            [flags, groups, public] == [["f"], ["0"], ["0"]]
            and servers.topics() == {"thing.made": 2, "thing.made.dlt": 1}
            and servers.topic_config("thing.made")["retention.ms"] == "604800000"
            and logs_in(url)
            and logs_in(owner)
        )

    await eventually(right, BY_READ_SECONDS, "topics, roles, grants and passwords as they were")

    def all_counted() -> bool:
        more = {kind: shop.corrected(kind) - before for kind, before in counted.items()}
        return more["KafkaTopic"] == 2 and more["PostgresRole"] >= 1 and more["PostgresDatabase"] >= 1

    await eventually(all_counted, 5, lambda: f"counted, but {shop.operator.metrics()}")
