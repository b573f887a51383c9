"""O1: every child exists, owned, labelled, applied by one manager; whatever is done to one by hand is put right."""

from __future__ import annotations

import time

import psycopg
import pytest

from .api import EVERY_PART, Api
from .process import OperatorProcess
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


async def test_o1_every_child_exists_owned_labelled_and_applied_by_one_manager(
    api: Api, operator: OperatorProcess
) -> None:
    shop = await api.service("shop", EVERY_PART)
    await api.ready("shop")

    children = await api.children("shop")
    names = {kind: sorted(c["metadata"]["name"] for c in children if c["kind"] == kind) for kind in KINDS}
    assert names == KINDS
    assert len([c for c in children if c["kind"] == "Job"]) == 1
    for child in children:
        meta = child["metadata"]
        assert meta["ownerReferences"][0]["uid"] == shop["metadata"]["uid"]
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "suuupra-operator"
        assert meta["labels"]["app.kubernetes.io/name"] == "workload"
        appliers = {m["manager"] for m in meta["managedFields"] if m["operation"] == "Apply"}
        assert appliers == {"suuupra-operator"}
        updaters = [
            m for m in meta["managedFields"] if m["operation"] == "Update" and not m.get("subresource")
        ]
        assert {m["manager"] for m in updaters} <= {"kube-controller-manager"}


@pytest.mark.parametrize("child", [kind for kind in KINDS if kind != "Secret"])
async def test_o1_a_deleted_child_comes_back(api: Api, operator: OperatorProcess, child: str) -> None:
    await api.service("shop", EVERY_PART)
    await api.ready("shop")

    for name in KINDS[child]:
        before = await api.must(child, name)
        await api.delete(child, name)
        began = time.monotonic()

        async def returned(name: str = name, uid: str = before["metadata"]["uid"]) -> bool:
            found = await api.get(child, name)
            return found is not None and found["metadata"]["uid"] != uid

        await eventually(returned, BY_WATCH_SECONDS, f"{child} {name} is back")
        assert time.monotonic() - began < BY_WATCH_SECONDS
    assert operator.total("drift_corrected_total", kind=child) == len(KINDS[child])


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
async def test_o1_an_edited_child_is_put_right_and_counted(
    api: Api, operator: OperatorProcess, child: str
) -> None:
    await api.service("shop", EVERY_PART)
    await api.ready("shop")
    name, edit = EDITS[child]
    parts = ("spec", "data", "automountServiceAccountToken")
    before = {part: (await api.must(child, name)).get(part) for part in parts}

    await api.merge(child, name, edit)

    async def restored() -> bool:
        return {part: (await api.must(child, name)).get(part) for part in parts} == before

    await eventually(restored, BY_WATCH_SECONDS, f"{child} {name} as it was")
    assert operator.total("drift_corrected_total", kind=child) == 1
    assert any(event["reason"] == "DriftCorrected" for event in await api.events("shop"))


async def test_o1_what_is_added_by_hand_goes_and_a_restart_by_kubectl_stays(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", EVERY_PART)
    await api.ready("shop")

    api.kind.kubectl("-n", "suuupra", "set", "env", "deployment/shop", "ADDED=by-hand")

    async def without() -> bool:
        container = (await api.must("Deployment", "shop"))["spec"]["template"]["spec"]["containers"][0]
        return all(variable["name"] != "ADDED" for variable in container["env"])

    await eventually(without, BY_WATCH_SECONDS, "the variable is gone")
    await api.ready("shop")
    api.kind.kubectl("-n", "suuupra", "rollout", "restart", "deployment/shop")
    await api.ready("shop")
    template = (await api.must("Deployment", "shop"))["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


async def test_o1_a_lost_secret_becomes_a_rotation_and_the_pods_follow(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", EVERY_PART)
    await api.ready("shop")
    before = await api.secret("shop-db")

    await api.delete("Secret", "shop-db")

    async def back() -> bool:
        return await api.get("Secret", "shop-db") is not None

    await eventually(back, BY_WATCH_SECONDS, "the Secret is back")
    after = await api.secret("shop-db")
    assert {before["username"], after["username"]} == {"shop_app_a", "shop_app_b"}
    await api.ready("shop")


async def test_o1_what_is_changed_in_kafka_is_put_right(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", EVERY_PART)
    await api.ready("shop")
    servers = api.servers

    servers.set_topic_config("thing.made", "retention.ms", "1000")
    servers.delete_topics("thing.made.dlt")

    def right() -> bool:
        return (
            servers.topics() == {"thing.made": 2, "thing.made.dlt": 1}
            and servers.topic_config("thing.made")["retention.ms"] == "604800000"
        )

    await eventually(right, BY_READ_SECONDS, "both topics as they were")
    assert operator.total("drift_corrected_total", kind="KafkaTopic") == 2


async def test_o1_what_is_changed_in_postgres_is_put_right(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", EVERY_PART)
    await api.ready("shop")
    psql = api.servers.psql
    url = (await api.secret("shop-db"))["url"]
    login = (await api.secret("shop-db"))["username"]
    assert url.startswith("postgresql://")

    psql(f"alter role {login} password 'changed by hand'")
    psql("alter role shop_owner superuser login")
    psql("grant pg_read_all_data to shop_app")
    psql("grant connect on database shop to public")

    def right() -> bool:
        flags = psql("select rolsuper or rolcanlogin from pg_roles where rolname = 'shop_owner'")
        groups = psql("select count(*) from pg_auth_members where member = 'shop_app'::regrole")
        public = psql("select count(*) from pg_database where datname = 'shop' and datacl::text like '%{=%'")
        return [flags, groups, public] == [["f"], ["0"], ["0"]]

    await eventually(right, BY_READ_SECONDS, "roles and grants as they were")
    await eventually(lambda: _logs_in(api, url), BY_READ_SECONDS, "the Secret's password works again")
    assert operator.total("drift_corrected_total", kind="PostgresRole") >= 1


def _logs_in(api: Api, url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False
