"""The reconcile of a rail, against an API server and services that are kept in memory."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from suuupra_operator.errors import ApiError, Temporary
from suuupra_operator.kinds import RAIL, SERVICE, Kind, kind_of
from suuupra_operator.primaries import Primaries
from suuupra_operator.queue import Key, Queue
from suuupra_operator.rails import RailReconciler
from suuupra_operator.writer import Writer
from suuupra_operator.writes import Gate

from .test_rails import UPI

Object = dict[str, Any]
UPI_KEY = Key("PaymentRail", "suuupra", "upi")


class Free:
    """A Lease that is always held."""

    def check(self) -> None: ...
    async def confirm(self) -> None: ...


@dataclass
class ApiServer:
    """Just enough of one: objects by path, server-side apply by one manager, generations."""

    objects: dict[str, Object] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    version: int = 10

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        return self.objects.get(kind.path(namespace, name))

    async def apply(self, manifest: Object) -> Object:
        path = self._path(manifest)
        self.writes.append(f"apply {manifest['metadata']['name']}")
        live = self.objects.get(
            path, {"metadata": {"uid": f"uid-{manifest['metadata']['name']}", "generation": 0}}
        )
        changed = live.get("spec") != manifest["spec"]
        return self._store(path, live, copy.deepcopy(manifest), changed)

    async def merge(self, path: str, patch: Object) -> Object:
        owner = path.removesuffix("/status")
        self.writes.append(f"patch {path.rsplit('/', 1)[1]}")
        live = copy.deepcopy(self.objects[owner])
        for part, value in patch.items():
            merged = {**live.get(part, {}), **value}
            live[part] = {key: item for key, item in merged.items() if item is not None}
        return self._store(owner, live, live, changed=False)

    async def delete(self, obj: Object) -> None:
        self.writes.append(f"delete {obj['metadata']['name']}")
        del self.objects[self._path(obj)]

    def _store(self, path: str, live: Object, wanted: Object, changed: bool) -> Object:
        self.version += 1
        meta = {**live["metadata"], **wanted["metadata"], "resourceVersion": str(self.version)}
        meta["generation"] = live["metadata"]["generation"] + int(changed)
        meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        self.objects[path] = {**live, **wanted, "metadata": meta}
        return copy.deepcopy(self.objects[path])

    @staticmethod
    def _path(obj: Object) -> str:
        return kind_of(obj).path(obj["metadata"]["namespace"], obj["metadata"]["name"])


@dataclass
class Services:
    """payments and the switch."""

    known: dict[str, Any] = field(default_factory=dict)
    told: list[Any] = field(default_factory=list)
    participants: list[Object] = field(default_factory=list)
    away: bool = False
    refuses: str = ""

    async def ask(self, namespace: str, resource: str, method: str, path: str, body: Any = None) -> Any:
        if self.away:
            raise Temporary(f"{resource} does not answer: refused")
        if path == "/internal/v1/participants":
            return {"items": self.participants}
        name = path.rpartition("/")[2]
        if path.startswith("/internal/v1/participants/"):
            self.participants = [item for item in self.participants if item["code"] != name]
            return {}
        if method == "PUT":
            if self.refuses:
                raise ApiError(422, "", self.refuses)
            self.told.append(body)
            self.known[name] = {"name": name, "trouble": None}
        if method == "DELETE":
            self.known.pop(name, None)
            return {}
        return self.known.get(name)


@dataclass
class Recorder:
    said: list[str] = field(default_factory=list)

    async def post(self, about: Object, kind: str, reason: str, message: str) -> None:
        self.said.append(f"{reason}: {message}")


@dataclass
class World:
    """A rail, the services around it, and the operator's view of them."""

    server: ApiServer = field(default_factory=ApiServer)
    services: Services = field(default_factory=Services)
    recorder: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        self.primaries = Primaries(Queue())
        gate = Gate(Free())
        writer = Writer(self.server, gate, self.primaries)  # type: ignore[arg-type]
        self.rails = RailReconciler(
            self.server,  # type: ignore[arg-type]
            self.primaries,
            self.services,  # type: ignore[arg-type]
            writer,
            self.recorder,  # type: ignore[arg-type]
            frozenset({"suuupra"}),
        )

    async def apply(self, spec: Object, kind: Kind = RAIL, name: str = "upi") -> None:
        """As a person with kubectl."""
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        await self.server.apply(head | {"metadata": {"name": name, "namespace": "suuupra"}, "spec": spec})
        self.watched()

    def watched(self) -> None:
        """What the watch delivers."""
        for obj in list(self.server.objects.values()):
            self.primaries.put(copy.deepcopy(obj))
        for key, known in list(self.primaries.objects.items()):
            if self.server._path(known) not in self.server.objects:
                self.primaries.drop(self.primaries.objects[key])

    async def reconcile(self) -> Any:
        outcome = await self.rails.reconcile(UPI_KEY)
        self.watched()
        return outcome

    async def serving(self) -> None:
        """Every resource's pods are up."""
        for path, obj in list(self.server.objects.items()):
            if obj["kind"] == SERVICE.name:
                ready = {"type": "Ready", "status": "True", "reason": "Ready"}
                status = {"readyReplicas": 1, "observedGeneration": obj["metadata"]["generation"]}
                self.server.objects[path]["status"] = status | {"conditions": [ready]}
                self.server.version += 1
                obj["metadata"]["resourceVersion"] = str(self.server.version)
        self.watched()

    async def up(self) -> None:
        """A rail that is Ready."""
        await self.apply({}, SERVICE, "payments")
        await self.apply(UPI)
        await self.reconcile()
        await self.serving()
        self.services.participants = [
            {"code": code, "kind": "bank", "state": "up", "success_share": share, "timeout_share": 0.0}
            for code, share in (("asha", 1.0), ("banyan", 0.98))
        ]
        await self.reconcile()
        self.server.writes.clear()

    @property
    def rail(self) -> Object:
        return self.server.objects[RAIL.path("suuupra", "upi")]

    def condition(self, kind: str = "Ready") -> Object:
        return next(c for c in self.rail["status"]["conditions"] if c["type"] == kind)

    def names(self) -> set[str]:
        return {
            obj["metadata"]["name"] for obj in self.server.objects.values() if obj["kind"] == SERVICE.name
        }


@pytest.fixture
def world() -> World:
    return World()


async def test_a_rail_makes_its_resources_and_says_what_it_waits_for(world: World) -> None:
    await world.apply(UPI)
    await world.reconcile()
    assert world.names() == {"upi-core", "bank-asha", "bank-banyan"}
    assert world.condition("ResourcesReady")["reason"] == "Progressing"
    assert "there is no resource payments yet" in world.condition("Registered")["message"]
    assert world.condition()["status"] == "False"
    assert world.recorder.said == [], "a rail that comes up is no reason for an Event"


async def test_a_rail_that_is_up_says_how_each_participant_does(world: World) -> None:
    await world.up()
    assert world.condition()["status"] == "True"
    status = world.rail["status"]
    assert (status["healthy"], status["successShare"]) == ("2/2", "98%")
    assert [(p["code"], p["ready"], p["state"], p["successShare"]) for p in status["participants"]] == [
        ("asha", True, "up", "100%"),
        ("banyan", True, "up", "98%"),
    ]
    assert world.services.told[0]["url"] == "http://upi-core.suuupra.svc:8000"
    assert world.recorder.said == ["Ready: 2 participants take payments"]


async def test_o3_a_rail_with_nothing_changed_writes_nothing_and_tells_nobody(world: World) -> None:
    await world.up()
    for _ in range(10):
        await world.reconcile()
    assert world.server.writes == []
    assert len(world.services.told) == 1


async def test_a_participant_that_is_edited_changes_alone_and_nobody_is_told_again(world: World) -> None:
    await world.up()
    edited = json.loads(json.dumps(UPI))
    edited["participants"][1]["profile"]["latency"] = "200ms"
    await world.apply(edited)
    world.server.writes.clear()
    await world.reconcile()
    assert [write for write in world.server.writes if write.startswith("apply")] == ["apply bank-banyan"]
    assert len(world.services.told) == 1


async def test_a_participant_that_is_added_is_made_and_told_of(world: World) -> None:
    await world.up()
    await world.apply(UPI | {"participants": [*UPI["participants"], {"code": "cedar", "name": "Cedar Bank"}]})
    await world.reconcile()
    assert "bank-cedar" in world.names()
    assert [p["code"] for p in world.services.told[-1]["participants"]] == ["asha", "banyan", "cedar"]


async def test_a_participant_goes_only_after_the_merchant_was_told(world: World) -> None:
    await world.up()
    fewer = UPI | {"participants": UPI["participants"][:1]}
    world.services.away = True
    await world.apply(fewer)
    await world.reconcile()
    assert "bank-banyan" in world.names(), "payments may still send to it"
    world.services.away = False
    await world.reconcile()
    assert world.names() == {"payments", "upi-core", "bank-asha"}
    assert any("its database stays, with what it owes the others" in said for said in world.recorder.said)
    await world.reconcile()
    assert [item["code"] for item in world.services.participants] == ["asha"], "the switch forgets it, too"


async def test_a_participant_that_is_no_bank_of_the_rail_is_none_of_its_business(world: World) -> None:
    await world.up()
    world.services.participants.append({"code": "suuupra", "kind": "psp", "state": "up"})
    await world.reconcile()
    assert [item["code"] for item in world.services.participants] == ["asha", "banyan", "suuupra"]
    assert world.rail["status"]["healthy"] == "2/2"


async def test_o1_a_resource_that_was_deleted_or_changed_by_hand_is_put_right(world: World) -> None:
    await world.up()
    bank = world.server.objects[SERVICE.path("suuupra", "bank-asha")]
    bank["spec"]["env"] = {"BANK_PROFILE": "{}"}
    bank["metadata"]["resourceVersion"] = "9999"
    world.server.version = 10_000
    del world.server.objects[SERVICE.path("suuupra", "upi-core")]
    world.watched()
    await world.reconcile()
    assert "upi-core" in world.names()
    env = world.server.objects[SERVICE.path("suuupra", "bank-asha")]["spec"]["env"]
    assert json.loads(env["BANK_PROFILE"])["code"] == "asha"
    assert sum("changed by hand" in said for said in world.recorder.said) == 2


async def test_a_merchant_that_lost_the_rail_is_told_again(world: World) -> None:
    await world.up()
    world.services.known.clear()
    await world.reconcile()
    assert len(world.services.told) == 2


async def test_a_merchant_that_refuses_is_quoted(world: World) -> None:
    world.services.refuses = "rulebook.scale must be less than or equal to 1000"
    await world.up()
    found = world.condition("Registered")
    assert (found["status"], found["reason"]) == ("False", "Refused")
    assert "rulebook.scale" in found["message"]


async def test_a_service_that_does_not_answer_is_an_event_only_of_a_rail_that_was_ready(world: World) -> None:
    world.services.away = True
    await world.up()
    assert world.condition("Registered")["reason"] == "NotAnswering"
    assert world.recorder.said == []
    world.services.away = False
    await world.reconcile()
    world.services.away = True
    await world.reconcile()
    said = [words.partition(":")[0] for words in world.recorder.said]
    assert said == ["Ready", "NotAnswering", "SwitchNotAnswering"]


async def test_a_bank_without_heartbeat_is_named(world: World) -> None:
    await world.up()
    world.services.participants[1] |= {"state": "down", "success_share": None}
    await world.reconcile()
    found = world.condition("ParticipantsHealthy")
    assert found["reason"] == "ParticipantDown"
    assert "banyan" in found["message"]
    assert world.rail["status"]["healthy"] == "1/2"
    assert any(said.startswith("ParticipantDown") for said in world.recorder.said)


async def test_a_resource_of_somebody_else_is_left_alone(world: World) -> None:
    await world.apply({"env": {"MINE": "1"}}, SERVICE, "bank-asha")
    await world.apply(UPI)
    await world.reconcile()
    found = world.condition("ResourcesReady")
    assert found["reason"] == "ResourceConflict"
    assert "bank-asha was not made by a rail" in found["message"]
    assert world.server.objects[SERVICE.path("suuupra", "bank-asha")]["spec"] == {"env": {"MINE": "1"}}


async def test_o8_a_rail_that_is_deleted_is_told_of_and_waits_for_who_is_away(world: World) -> None:
    await world.up()
    rail = world.rail
    rail["metadata"] |= {"deletionTimestamp": "2026-01-02T00:00:00Z", "resourceVersion": "8000"}
    world.server.version = 8_000
    world.services.away = True
    world.watched()
    assert (await world.reconcile()).retry
    assert "annotate suuupra.io/release=true" in world.condition()["message"]
    world.services.away = False
    await world.reconcile()
    assert world.services.known == {}
    assert world.rail["metadata"]["finalizers"] == []


async def test_o2_a_rail_that_cannot_be_read_says_which_field(world: World) -> None:
    await world.apply({"participants": []})
    await world.reconcile()
    assert world.condition()["reason"] == "InvalidSpec"
    assert "spec.participants" in world.condition()["message"]
