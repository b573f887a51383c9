"""Drift, claims, conditions, the queue and the Lease: decisions without a cluster."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suuupra_operator import conditions, drift
from suuupra_operator.catalog import Names
from suuupra_operator.claims import claims_of
from suuupra_operator.cluster import Object
from suuupra_operator.conditions import Finding
from suuupra_operator.desired.deployment import deployments
from suuupra_operator.desired.secrets import database_login, kept
from suuupra_operator.errors import LeadershipLost
from suuupra_operator.leadership import FENCE_SECONDS, Leadership
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.policies import _judge
from suuupra_operator.provide.database import choose
from suuupra_operator.queue import Key, Queue
from suuupra_operator.round import Round
from suuupra_operator.status import SuuupraServiceStatus

from .samples import subject

ONE, OTHER = Key("SuuupraService", "suuupra", "one"), Key("SuuupraService", "suuupra", "other")


# --- drift


def test_o3_what_the_api_server_adds_is_no_drift() -> None:
    desired = drift.stamped(deployments(subject(), "a/shop:1", "")[0])
    live = copy.deepcopy(desired)
    live["spec"]["progressDeadlineSeconds"] = 300
    live["spec"]["template"]["spec"] |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    live["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = "/dev/termination-log"
    assert drift.is_current(desired, live)
    assert drift.holds(desired, live)


@given(st.data())
def test_o1_any_changed_value_is_drift(data: st.DataObject) -> None:
    desired = deployments(subject(), "a/shop:1", "")[0]
    live = copy.deepcopy(desired)
    node: Any = live["spec"]
    while isinstance(node, dict | list):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        inner = [key for key in keys if isinstance(node[key], dict | list) and node[key]]
        leaves = [key for key in keys if isinstance(node[key], str | int | bool)]
        choice = data.draw(st.sampled_from([*inner, *leaves]))
        if choice in leaves:
            node[choice] = "changed by hand" if not isinstance(node[choice], bool) else not node[choice]
            break
        node = node[choice]
    assert not drift.holds(desired, live)


def test_o1_foreign_fields_are_found_with_their_place() -> None:
    desired: Object = {
        "spec": {"containers": [{"name": "serve", "env": [{"name": "A", "value": "1"}]}]},
        "metadata": {},
    }
    live = copy.deepcopy(desired)
    live["spec"]["containers"][0]["env"].append({"name": "B", "value": "2"})
    owned: Object = {
        "f:containers": {'k:{"name":"serve"}': {"f:env": {'k:{"name":"B"}': {".": {}, "f:value": {}}}}}
    }
    live["metadata"]["managedFields"] = [
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": owned}}
    ]
    assert drift.foreign_fields(desired, live) == ["/spec/containers/0/env/1"]
    live["metadata"]["managedFields"][0]["subresource"] = "scale"
    assert drift.foreign_fields(desired, live) == []


def test_o1_a_restart_by_kubectl_is_no_foreign_field() -> None:
    desired = drift.stamped(deployments(subject(), "a/shop:1", "")[0])
    live = copy.deepcopy(desired)
    name = "kubectl.kubernetes.io/restartedAt"
    live["spec"]["template"]["metadata"]["annotations"] |= {name: "now", "other": "by hand"}
    fields: Object = {"f:template": {"f:metadata": {"f:annotations": {f"f:{name}": {}, "f:other": {}}}}}
    live["metadata"]["managedFields"] = [
        {"manager": "kubectl-rollout", "operation": "Update", "fieldsV1": {"f:spec": fields}}
    ]
    assert drift.foreign_fields(desired, live) == ["/spec/template/metadata/annotations/other"]


def _secret(manager: str, *keys: str) -> dict[str, Any]:
    """One of ours, whose keys this manager was the last to write."""
    secret: dict[str, Any] = database_login(subject(), "shop_app_a", "ours")
    fields: Object = {"f:data": {".": {}} | {f"f:{key}": {} for key in keys}}
    secret["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update", "fieldsV1": fields}]
    return secret


def test_o1_a_credential_written_over_by_hand_is_a_lost_one() -> None:
    ours = kept(_secret("suuupra-operator", "username", "password", "url"))
    assert (ours["username"], ours["password"]) == ("shop_app_a", "ours")
    by_hand = _secret("kubectl-edit", "password")
    assert drift.written_by_others(by_hand) == {"password"}
    assert "password" not in kept(by_hand)
    assert (
        choose(Names("shop"), kept(by_hand), False, "shop_app_a", frozenset({"shop_app_a"})).name
        == "shop_app_b"
    )
    address = _secret("kubectl-edit", "url")
    assert (
        choose(Names("shop"), kept(address), False, "shop_app_a", frozenset({"shop_app_a"})).password
        == "ours"
    )


# --- claims


def _spec(**more: Any) -> SuuupraServiceSpec:
    return SuuupraServiceSpec.model_validate(more)


def test_o12_routes_collide_by_overlapping_methods_only() -> None:
    get = claims_of(ONE, _spec(routes=[{"path": "/x", "methods": ["GET"]}]))
    post = claims_of(OTHER, _spec(routes=[{"path": "/x", "methods": ["POST"]}]))
    everything = claims_of(OTHER, _spec(routes=[{"path": "/x"}]))
    assert not get & post
    assert get & everything


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/internal", "ReservedPath"),
        ("/Gateway/x", "ReservedPath"),
        ("/v1/x", "Accepted"),
        ("/internals", "Accepted"),
    ],
)
def test_o12_a_stored_route_that_is_the_gateways_is_refused_and_no_other(path: str, reason: str) -> None:
    run = _round(routes=[{"path": path}, {"path": "/v1/other"}])
    first, second = conditions.route_statuses(run.subject.spec.routes, run.refused_routes())
    assert (first.reason, first.accepted) == (reason, reason == "Accepted")
    assert second.accepted
    finding = conditions.routes(2, run.refused_routes())
    assert (finding.ok, finding.reason) == (reason == "Accepted", reason)
    assert finding.ok or f"routes[0]: {path}" in finding.message


def test_o12_a_path_twice_in_one_resource_is_refused_the_second_time() -> None:
    refused = _round(routes=[{"path": "/v1/x"}, {"path": "/v1/x", "methods": ["GET"]}]).refused_routes()
    assert [*refused] == [1]
    assert "declared twice" in refused[1].message


def _round(**spec: Any) -> Round:
    return Round({}, subject(spec), SuuupraServiceStatus(), settled=False)


# --- conditions


def test_o2_a_transition_time_moves_only_with_the_status() -> None:
    good, bad = Finding("DatabaseReady", True, "Provided"), Finding("DatabaseReady", False, "Away", "down")
    first = conditions.compose([good], [], 1, "t1")
    same = conditions.compose([good], first, 2, "t2")
    changed = conditions.compose([bad], same, 2, "t3")
    assert [c.last_transition_time for c in same] == ["t1", "t1"]
    assert [c.last_transition_time for c in changed] == ["t3", "t3"]
    assert changed[0].message == "DatabaseReady: down"
    assert changed[0].reason == "Away"


def test_o24_a_part_that_cannot_be_seen_is_unknown_and_does_not_unready_the_resource() -> None:
    seen = Finding("DatabaseReady", True, "Provided")
    unseen = Finding("TopicsReady", True, "KafkaUnreachable", "Kafka does not answer", unknown=True)
    ready, database, topics = conditions.compose([seen, unseen], [], 1, "t1")
    assert (ready.status, database.status, topics.status) == ("True", "True", "Unknown")
    assert ready.message == "every part is ready; TopicsReady: Kafka does not answer"


# --- queue


async def test_o24_pauses_grow_and_are_bounded() -> None:
    queue = Queue()
    pauses = [queue.failed(ONE) for _ in range(12)]
    for pause, seconds in zip(pauses, [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60], strict=True):
        assert 0.8 * seconds <= pause <= 1.2 * seconds
    queue.succeeded(ONE)
    assert queue.failed(ONE) <= 0.6
    queue.forget(ONE)


async def test_a_key_waits_once_and_is_never_worked_on_twice_at_a_time() -> None:
    queue = Queue()
    queue.add(ONE)
    queue.add(ONE)
    assert await queue.get() == ONE
    queue.add(ONE)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)
    queue.done(ONE)
    assert await queue.get() == ONE


# --- the Lease


class _Leases:
    """An API server that keeps one Lease."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None

    async def get(self, *_: object) -> dict[str, Any] | None:
        return copy.deepcopy(self.lease)

    async def create(self, lease: dict[str, Any]) -> None:
        self.lease = copy.deepcopy(lease)

    replace = create


async def test_o23_a_frozen_holder_is_fenced_before_anybody_else_may_take_over() -> None:
    now = [100.0]
    server = _Leases()
    first = Leadership(server, "ns", "lease", clock=lambda: now[0], identity="first")  # type: ignore[arg-type]
    second = Leadership(server, "ns", "lease", clock=lambda: now[0], identity="second")  # type: ignore[arg-type]
    assert await first._attempt()
    first.acquired.set()
    first.check()
    fenced_at = taken_at = 0.0
    while not taken_at:
        now[0] += 0.5
        if await second._attempt():
            taken_at = now[0]
        try:
            first.check()
        except LeadershipLost:
            fenced_at = fenced_at or now[0]
    assert fenced_at - 100 <= FENCE_SECONDS
    assert fenced_at < taken_at
    assert not await first._attempt()
    with pytest.raises(LeadershipLost):
        await first.confirm()


# --- the rest


def test_whether_policies_hold_is_what_was_tried() -> None:
    assert _judge(allowed=True, forbidden=False).ok
    assert _judge(allowed=True, forbidden=True).reason == "NotEnforced"
    assert _judge(allowed=False, forbidden=False).reason == "NotTried"
