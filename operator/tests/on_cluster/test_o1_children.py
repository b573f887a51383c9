"""O1: every child exists, owned, labelled, applied by one manager; whatever is done to one by hand is put right.

One resource with every part is made once and damaged again and again. Its operator reads the servers as often as one
does that nobody configured, so the times here are the real ones.
"""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from suuupra_operator.cluster import Object
from suuupra_operator.settings import Settings

from .api import EVERY_PART, NO_PODS, Api
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
LABELS = {
    "app.kubernetes.io/name": "workload",
    "app.kubernetes.io/instance": "shop",
    "app.kubernetes.io/part-of": "suuupra",
    "app.kubernetes.io/managed-by": "suuupra-operator",
}
BY_HAND = base64.b64encode(b"by hand").decode()
FILLED: Object = {
    "service": "workload",
    "database": {},
    "jobs": [{"name": "fill", "args": ["sql", "insert into notes values (1)"]}],
}
"""Its migration makes a table, its job fills it, and its pod is ready while the database answers."""


@dataclass
class Shop:
    """The resource, once Ready, and the operator that keeps it so."""

    api: Api
    operator: OperatorProcess
    made: Object

    def corrected(self, kind: str) -> float:
        """How often the operator says it has put one kind right."""
        return self.operator.total("drift_corrected_total", kind=kind)

    def looks(self) -> float:
        """How often it has looked at a service."""
        return self.operator.total("suuupra_operator_reconciles_total", kind="SuuupraService")

    async def counted(self, kind: str, times: float) -> None:
        """The operator counts once it has its answer, a moment after others can see what was written."""
        told = f"{times:g} times that {kind} was put right"
        await eventually(
            lambda: self.corrected(kind) >= times, 2, lambda: f"{told}: {self.operator.metrics()}"
        )
        assert self.corrected(kind) == times, told


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing(connected: Api, crew: Crew) -> AsyncIterator[Shop]:
    await connected.platform()
    await crew.end()
    operator = crew.start(drift_seconds=str(Settings().drift_seconds))
    await operator.leading()
    made = await connected.service("shop", EVERY_PART)
    await connected.service("filled", FILLED)
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
        labels = {key: value for key, value in meta["labels"].items() if key.startswith("app.kubernetes.io/")}
        versioned = {"app.kubernetes.io/version": "v1"} if child["kind"] in ("Deployment", "Job") else {}
        part = "work" if meta["name"] == "shop-worker" else "migrate" if child["kind"] == "Job" else "serve"
        assert labels == LABELS | versioned | {"app.kubernetes.io/component": part}
        appliers = {m["manager"] for m in meta["managedFields"] if m["operation"] == "Apply"}
        assert appliers == {"suuupra-operator"}
        updaters = [
            m for m in meta["managedFields"] if m["operation"] == "Update" and not m.get("subresource")
        ]
        assert {m["manager"] for m in updaters} <= {"kube-controller-manager"}


@pytest.mark.parametrize("child", KINDS)
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
    await shop.counted(child, counted + len(KINDS[child]))


EDITS: dict[str, tuple[str, Object]] = {
    "Service": ("shop", {"spec": {"ports": [{"name": "http", "port": 81, "protocol": "TCP"}]}}),
    "Deployment": ("shop", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}),
    "ConfigMap": ("shop-rules", {"data": {"rules.yaml": "groups: []", "extra": "by hand"}}),
    "NetworkPolicy": ("shop", {"spec": {"policyTypes": ["Ingress"]}}),
    "HorizontalPodAutoscaler": ("shop", {"spec": {"maxReplicas": 50}}),
    "PodDisruptionBudget": ("shop", {"spec": {"maxUnavailable": 100}}),
    "ServiceAccount": ("shop", {"automountServiceAccountToken": True}),
    "Secret": ("shop-db", {"data": {"url": BY_HAND, "extra": BY_HAND}}),
}
NOBODYS: Object = {"metadata": {"ownerReferences": None}}
UNWATCHED: Object = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
"""The operator watches what carries this label: without it a child is to it as one that was deleted."""
DISOWNED: dict[str, tuple[str, str, Object]] = {
    "unwatched": ("Service", "shop", UNWATCHED),
    "nobody's": ("Deployment", "shop", NOBODYS),
    "both": ("ConfigMap", "shop-rules", {"metadata": NOBODYS["metadata"] | UNWATCHED["metadata"]}),
}


@pytest.mark.parametrize("child", EDITS)
async def test_o1_an_edited_child_is_put_right_and_counted(shop: Shop, child: str) -> None:
    await _put_right(shop, child, *EDITS[child])


@pytest.mark.parametrize("how", DISOWNED)
async def test_o1_a_child_whose_label_or_owner_was_taken_off_has_it_again_and_is_the_same(
    shop: Shop, how: str
) -> None:
    child, name, edit = DISOWNED[how]
    uid = (await shop.api.must(child, name))["metadata"]["uid"]
    await _put_right(shop, child, name, edit)
    assert (await shop.api.must(child, name))["metadata"]["uid"] == uid


async def _put_right(shop: Shop, child: str, name: str, edit: Object) -> None:
    api, counted = shop.api, shop.corrected(child)

    async def parts() -> Object:
        found = await api.must(child, name)
        whose = {part: found["metadata"].get(part) for part in ("labels", "ownerReferences")}
        return whose | {part: found.get(part) for part in ("spec", "data", "automountServiceAccountToken")}

    before = await parts()
    await api.merge(child, name, edit)

    async def restored() -> bool:
        return await parts() == before

    await eventually(restored, BY_WATCH_SECONDS, f"{child} {name} as it was")
    await shop.counted(child, counted + 1)
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


async def test_o1_o5_a_lost_secret_becomes_a_rotation_and_the_pods_follow(shop: Shop) -> None:
    await _rotates(shop, shop.api.delete("Secret", "shop-db"))


async def test_o1_a_password_written_into_a_secret_by_hand_becomes_a_rotation_and_never_a_login(
    shop: Shop,
) -> None:
    before = await shop.api.secret("shop-db")
    await _rotates(shop, shop.api.merge("Secret", "shop-db", {"data": {"password": BY_HAND}}))
    by_hand = before["url"].replace(before["password"], "by%20hand")
    for login in ("shop_app_a", "shop_app_b"):
        assert not logs_in(by_hand.replace(before["username"], login))


async def _rotates(shop: Shop, damage: Coroutine[Any, Any, object]) -> None:
    """The other login is in the Secret and works, and so does the one before it until the last pod has followed."""
    api, counted = shop.api, shop.corrected("Secret")
    before, old = await api.secret("shop-db"), await api.running("shop")
    works: list[bool] = []

    async def followed() -> bool:
        works.append(logs_in(before["url"]))
        left = old & await api.running("shop")  # asked after the login: these ran while it was tried
        assert works[-1] or not left, f"{left} still run, and their login is gone"
        return not left

    await damage

    async def other() -> bool:
        found = await api.get("Secret", "shop-db")
        return found is not None and (await api.secret("shop-db"))["username"] != before["username"]

    await eventually(other, BY_WATCH_SECONDS, "the Secret holds another login")
    after = await api.secret("shop-db")
    assert {before["username"], after["username"]} == {"shop_app_a", "shop_app_b"}
    assert logs_in(after["url"])
    await eventually(followed, 90, "every pod that had the old login is gone")
    assert works[0], "the old login was kept for the pods that still ran"
    await shop.counted("Secret", counted + 1)
    await api.ready("shop", 90)
    await eventually(lambda: not logs_in(before["url"]), 30, "the old login is retired")


async def test_o1_an_owners_login_and_a_key_written_over_by_hand_are_made_anew(shop: Shop) -> None:
    api, counted = shop.api, shop.corrected("Secret")
    damage = {"shop-db-owner": "password", "shop-objects": "secretKey"}
    before = {name: (await api.secret(name))[key] for name, key in damage.items()}
    for name, key in damage.items():
        await api.merge("Secret", name, {"data": {key: BY_HAND}})

    async def anew() -> bool:
        now = {name: (await api.secret(name))[key] for name, key in damage.items()}
        return all(now[name] not in (before[name], "by hand") for name in damage)

    await eventually(anew, BY_WATCH_SECONDS, "both Secrets hold something new")
    await shop.counted("Secret", counted + 2)
    assert logs_in((await api.secret("shop-db-owner"))["url"])
    held = await api.secret("shop-objects")
    store = api.servers.store("s3", held["accessKey"], held["secretKey"])
    store.put_object(Bucket="shop-media", Key="a", Body=b"a")


async def test_o1_a_migration_that_is_through_is_not_run_again_when_its_job_is_deleted(shop: Shop) -> None:
    api = shop.api
    (job,) = await api.children("shop", "Job")
    looks, counted = shop.looks(), shop.corrected("Job")
    await api.delete("Job", job["metadata"]["name"])
    await api.gone("Job", job["metadata"]["name"])
    await eventually(lambda: shop.looks() > looks, BY_WATCH_SECONDS, "the operator has looked")
    await api.until("shop", "MigrationsReady", status="True")
    assert await api.children("shop", "Job") == []
    assert shop.corrected("Job") == counted


async def test_o1_a_migration_job_deleted_before_it_is_through_comes_back_and_is_counted(shop: Shop) -> None:
    api, counted = shop.api, shop.corrected("Job")
    spec = NO_PODS | {"database": {}, "env": {"WORKLOAD_MIGRATION": "select pg_sleep(2)"}}
    await api.service("slow", spec)

    async def another(than: str) -> str:
        jobs = {job["metadata"]["uid"] for job in await api.children("slow", "Job")} - {than}
        return next(iter(jobs), "")

    first = await eventually(lambda: another(""), 30, "its Job")
    await api.delete("Job", (await api.children("slow", "Job"))[0]["metadata"]["name"])
    await eventually(lambda: another(first), BY_WATCH_SECONDS, "the Job is back")
    await shop.counted("Job", counted + 1)
    await api.ready("slow")


async def test_o1_what_is_changed_in_kafka_and_postgres_is_put_right_and_counted(shop: Shop) -> None:
    servers, psql = shop.api.servers, shop.api.servers.psql
    await shop.api.ready("filled", 90)
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
    psql("drop database filled with (force)")

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
            and "filled" in servers.databases()
        )

    await eventually(right, BY_READ_SECONDS, "topics, roles, grants, passwords and the database as they were")

    def all_counted() -> bool:
        more = {kind: shop.corrected(kind) - before for kind, before in counted.items()}
        return more["KafkaTopic"] == 2 and more["PostgresRole"] >= 1 and more["PostgresDatabase"] == 2

    await eventually(all_counted, 5, lambda: f"counted, but {shop.operator.metrics()}")
    await _filled_again(shop.api)


async def test_o1_what_cuts_a_service_off_is_put_right_and_so_is_the_same_done_again(shop: Shop) -> None:
    """The second time it is done right after its repair: the next read shows what the one before showed."""
    servers, psql = shop.api.servers, shop.api.servers.psql
    secret = await shop.api.secret("shop-db")
    login, url = secret["username"], secret["url"]

    def right() -> bool:
        admits = psql("select datallowconn and datconnlimit = -1 from pg_database where datname = 'shop'")
        other = psql("select has_database_privilege('pg_monitor', 'shop', 'connect')")
        settings = psql(
            f"select cardinality(coalesce(rolconfig, '{{}}')) from pg_roles where rolname = '{login}'"
        )
        return (
            [admits, other, settings] == [["t"], ["f"], ["0"]]
            and servers.topic_config("thing.made")["retention.bytes"] == "-1"
            and logs_in(url)
        )

    for _ in range(2):
        psql(f"alter role {login} valid until 'yesterday' connection limit 0")
        psql(f"alter role {login} set default_transaction_read_only = on")
        psql("alter database shop allow_connections false connection limit 0")
        psql("grant connect on database shop to pg_monitor")
        servers.set_topic_config("thing.made", "retention.bytes", "1")
        await eventually(
            right, BY_READ_SECONDS, "the login, its settings, the database and the topic as they were"
        )


async def _filled_again(api: Api) -> None:
    """The database that was made anew has what the migration and the job had put into the one that was dropped."""

    def rows() -> list[str]:
        try:
            return api.servers.psql("select id from notes", "filled")
        except psycopg.ProgrammingError:  # not migrated yet
            return []

    await eventually(rows, 60, "the table, and what the job puts there")
    assert rows() == ["1"]
    await api.ready("filled")
