"""Reconcile of one PaymentRail: its resources, what the merchant's service knows of it, and how its participants do.

Level-triggered like that of a service. What it makes are SuuupraServices, so a bank's rollout, database and deletion are
theirs: a participant that is edited rolls without losing a message, and one that is removed keeps its data.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from suuupra_operator import conditions, drift, metrics, participants
from suuupra_operator.children import controller_of
from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.conditions import Finding, counted
from suuupra_operator.deletion import RELEASE
from suuupra_operator.desired.rail import Rail, registration, resource_of, resources
from suuupra_operator.desired.subject import digest
from suuupra_operator.errors import ApiError, Conflict, OperatorError, Pending, Permanent, Temporary
from suuupra_operator.events import Recorder
from suuupra_operator.kinds import RAIL, SERVICE
from suuupra_operator.participants import SOON_SECONDS, Seen
from suuupra_operator.peers import Peers
from suuupra_operator.primaries import InvalidSpec, Primaries, is_ready, rail_of, rail_status_of
from suuupra_operator.queue import Key
from suuupra_operator.round import Outcome
from suuupra_operator.status import PaymentRailStatus, RailParticipantStatus
from suuupra_operator.writer import FINALIZER, Writer, now
from suuupra_operator.writes import Write

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""Between two looks at how participants do: nobody sends an event about that."""
REFUSED_SECONDS = 120.0
ORDINARY = frozenset({"Progressing", "NotSeenYet", "Waiting"})
"""Reasons that belong to a rail that is coming up: conditions say them, Events do not."""
AWAY = frozenset({"NotAnswering", "SwitchNotAnswering", "SwitchRefused"})
"""Likewise, until the rail was Ready: a pod that is ready may not be reachable in the same instant."""


@dataclass
class _Run:
    """One reconcile of one rail."""

    obj: Object
    rail: Rail
    status: PaymentRailStatus
    findings: list[Finding] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)


@dataclass
class RailReconciler:
    """Reconciles PaymentRails."""

    cluster: Cluster
    primaries: Primaries
    peers: Peers
    writer: Writer
    recorder: Recorder
    namespaces: frozenset[str]

    async def reconcile(self, key: Key) -> Outcome:
        """Bring one rail a step, or all the way, to what it says."""
        obj = self.primaries.get(key)
        if obj is None:
            return Outcome()
        if obj["metadata"].get("deletionTimestamp"):
            return await self._leave(obj)
        if key.namespace not in self.namespaces:
            text = f"the operator serves {', '.join(sorted(self.namespaces))}: add it to the chart's watchNamespaces"
            return await self._refuse(obj, "NamespaceNotServed", text)
        try:
            rail = rail_of(obj)
        except InvalidSpec as error:
            return await self._refuse(obj, error.reason, str(error))
        obj = await self.writer.add_finalizer(obj)
        run = _Run(obj, rail, rail_status_of(obj))
        await self._members(run)
        run.status = await self._register(run)
        await self._remove_former(run)
        return await self._conclude(run, await self._participants(run))

    async def _members(self, run: _Run) -> None:
        """The switch and the banks are there and as the rail says."""
        refused: dict[str, Permanent | ApiError] = {}
        for manifest in resources(run.rail):
            name = manifest["metadata"]["name"]
            try:
                if await self._ensure(run, drift.stamped(manifest)):
                    run.corrected.append(f"SuuupraService {name}")
            except (Permanent, ApiError) as error:
                refused[name] = error
        if refused:
            text = "; ".join(f"{name}: {why}" for name, why in refused.items())
            run.found(Finding("ResourcesReady", False, _reason(refused), text, again=REFUSED_SECONDS))
            return
        waiting = [name for name in sorted(run.rail.members()) if not self._ready(run.rail, name)]
        run.found(self._readiness(run.rail, waiting))

    async def _ensure(self, run: _Run, desired: Object) -> bool:
        """Whether it was put right after somebody had changed it."""
        meta = desired["metadata"]
        live = self.primaries.get(Key(SERVICE.name, meta["namespace"], meta["name"]))
        if live is None:  # or made this very moment by somebody else
            live = await self.cluster.get(SERVICE, meta["name"], meta["namespace"])
        if live is not None:
            _refuse_unless_ours(run.rail, live)
            if live["metadata"].get("deletionTimestamp") or _agrees(desired, live):
                return False  # one that is going is made anew once it is gone
        changed = is_ready(run.obj) if live is None else drift.is_current(desired, live)
        async with self.writer.gate.kubernetes(Write.CHILD_APPLIED):
            made = await self.cluster.apply(desired)
        self.primaries.put(await self._stripped(made, drift.foreign_fields(desired, made)))
        if changed:
            metrics.DRIFT.labels(SERVICE.name).inc()
        return changed

    async def _stripped(self, live: Object, foreign: list[str]) -> Object:
        """Less what somebody added beside what the rail says."""
        if not foreign:
            return live
        meta = live["metadata"]
        test: Object = {"op": "test", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]}
        removals: list[Object] = [{"op": "remove", "path": pointer} for pointer in foreign]
        async with self.writer.gate.kubernetes(Write.CHILD_STRIPPED):
            return await self.cluster.json_patch(
                SERVICE.path(meta["namespace"], meta["name"]), [test, *removals]
            )

    def _readiness(self, rail: Rail, waiting: list[str]) -> Finding:
        if not waiting:
            return Finding("ResourcesReady", True, "Ready", counted(len(rail.members()), "resource"))
        words = [f"{name}: {self._why(rail, name)}" for name in waiting]
        return Finding("ResourcesReady", False, "Progressing", "; ".join(words), again=LOOK_SECONDS)

    async def _register(self, run: _Run) -> PaymentRailStatus:
        """The merchant's service knows the rail; it is told only what it does not know."""
        service, wanted = run.rail.spec.register_with, digest(registration(run.rail))
        known = run.status.registered == wanted and run.status.registered_with == service
        try:
            view = await self._told(run.rail, service, known=known)
        except Pending as error:
            run.found(Finding("Registered", False, "Waiting", str(error), again=SOON_SECONDS))
            return run.status
        except Temporary as error:
            run.found(Finding("Registered", False, "NotAnswering", str(error), again=SOON_SECONDS))
            return run.status
        except OperatorError as error:
            run.found(Finding("Registered", False, "Refused", f"{service}: {error}", again=LOOK_SECONDS))
            return run.status
        run.found(_registered(service, view))
        return run.status.model_copy(update={"registered": wanted, "registered_with": service})

    async def _told(self, rail: Rail, service: str, *, known: bool) -> Any:
        """What the service says of the rail. ``known``: it was told just this before, unless it lost it."""
        self._answers(rail, service)
        path = f"/internal/v1/rails/{rail.name}"
        view = await self.peers.ask(rail.namespace, service, "GET", path)
        if view is not None and known:
            return view
        async with self.writer.gate.external(Write.RAIL_REGISTERED):
            view = await self.peers.ask(rail.namespace, service, "PUT", path, registration(rail))
        if view is None:
            raise Permanent(f"it has nothing at {path}, so it takes no rails: name another in registerWith")
        return view

    def _answers(self, rail: Rail, name: str) -> None:
        """Raise Pending unless a pod of the resource could answer: asking one that is not there only takes time."""
        obj = self.primaries.get(Key(SERVICE.name, rail.namespace, name))
        if obj is None:
            raise Pending(f"there is no resource {name} yet")
        if not obj.get("status", {}).get("readyReplicas"):
            raise Pending(f"{name} has no pod that is ready")

    async def _remove_former(self, run: _Run) -> None:
        """Resources of participants that are no longer named, once nobody is told of them any more."""
        if run.status.registered != digest(registration(run.rail)):
            return
        for live in self._made(run.rail):
            name = live["metadata"]["name"]
            if name in run.rail.members() or live["metadata"].get("deletionTimestamp"):
                continue
            async with self.writer.gate.kubernetes(Write.CHILD_DELETED):
                await self.cluster.delete(live)
            text = f"{name} takes part no more: its pods go, its database stays, with what it owes the others"
            await self.recorder.post(run.obj, "Normal", "ParticipantRemoved", text)

    async def _participants(self, run: _Run) -> list[RailParticipantStatus]:
        """How each bank does, as its resource and the switch say."""
        rail, seen = run.rail, dict[str, Seen]()
        trouble: Finding | None = None
        try:
            self._answers(rail, rail.switch)
            answer = await self.peers.ask(rail.namespace, rail.switch, "GET", participants.ADDRESS)
            seen = participants.read(answer)
            await self._forget_former(rail, seen)
        except Pending as error:
            trouble = Finding("ParticipantsHealthy", False, "Waiting", str(error), again=SOON_SECONDS)
        except OperatorError as error:
            trouble = Finding(
                "ParticipantsHealthy", False, "SwitchNotAnswering", str(error), again=SOON_SECONDS
            )
        found = [
            participants.told(one, seen, ready=self._ready(rail, resource_of(one)))
            for one in rail.spec.participants
        ]
        run.found(trouble or participants.health(found))
        return found

    async def _forget_former(self, rail: Rail, seen: dict[str, Seen]) -> None:
        """Have the switch forget banks that are gone; one that still runs would only come back."""
        codes = {participant.code for participant in rail.spec.participants}
        for code, item in seen.items():
            gone = self.primaries.get(Key(SERVICE.name, rail.namespace, f"bank-{code}")) is None
            if item.kind == "bank" and code not in codes and gone:
                async with self.writer.gate.external(Write.PARTICIPANT_REMOVED):
                    path = f"{participants.ADDRESS}/{code}"
                    await self.peers.ask(rail.namespace, rail.switch, "DELETE", path)

    async def _conclude(self, run: _Run, found: list[RailParticipantStatus]) -> Outcome:
        generation = run.obj["metadata"]["generation"]
        settled = is_ready(run.obj)
        up = sum(participant.state == "up" for participant in found)
        update = {
            "observed_generation": generation,
            "conditions": conditions.compose(run.findings, run.status.conditions, generation, now()),
            "participants": found,
            "healthy": f"{up}/{len(found)}",
            "success_share": participants.worst(found),
        }
        written = await self.writer.status(run.obj, run.status.model_copy(update=update))
        await self._tell(run, written, settled)
        waits = [finding.again for finding in run.findings if finding.again is not None]
        return Outcome(again=min([*waits, LOOK_SECONDS]))

    async def _tell(self, run: _Run, written: Object, settled: bool) -> None:
        for what in run.corrected:
            text = f"{what} was changed by hand and is as the rail says again"
            await self.recorder.post(run.obj, "Warning", "DriftCorrected", text)
        if is_ready(written) and not settled:
            text = f"{counted(len(run.rail.spec.participants), 'participant')} take payments"
            await self.recorder.post(run.obj, "Normal", "Ready", text)
        known = {(c.type, c.reason, c.message) for c in run.status.conditions}
        quiet = ORDINARY if settled else ORDINARY | AWAY
        for finding in run.findings:
            if finding.ok or finding.reason in quiet:
                continue
            if (finding.type, finding.reason, finding.message) not in known:
                await self.recorder.post(
                    run.obj, "Warning", finding.reason, f"{finding.type}: {finding.message}"
                )

    async def _leave(self, obj: Object) -> Outcome:
        """Nobody is told of the rail any more; what it made goes with it, by its owner references."""
        if FINALIZER not in obj["metadata"].get("finalizers", []):
            return Outcome()
        status = rail_status_of(obj)
        released = obj["metadata"].get("annotations", {}).get(RELEASE) == "true"
        if status.registered_with and not released:
            try:
                await self._deregister(obj, status.registered_with)
            except OperatorError as error:
                text = f"{error}. To let go at once: annotate {RELEASE}=true"
                await self._say(obj, Finding("Deleted", False, "WaitingToDelete", text))
                return Outcome(retry=True)
        await self.writer.remove_finalizer(obj)
        return Outcome()

    async def _deregister(self, obj: Object, service: str) -> None:
        """A service that is gone, or going, need not be told; one that knows no such request never knew."""
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        live = self.primaries.get(Key(SERVICE.name, namespace, service))
        if live is None or live["metadata"].get("deletionTimestamp"):
            return
        try:
            async with self.writer.gate.external(Write.RAIL_DEREGISTERED):
                await self.peers.ask(namespace, service, "DELETE", f"/internal/v1/rails/{name}")
        except ApiError as error:
            if error.status != 405:
                raise

    async def _refuse(self, obj: Object, reason: str, message: str) -> Outcome:
        await self._say(obj, Finding("Accepted", False, reason, message))
        await self.recorder.post(obj, "Warning", reason, message)
        return Outcome()

    async def _say(self, obj: Object, finding: Finding) -> None:
        status, generation = rail_status_of(obj), obj["metadata"]["generation"]
        composed = conditions.compose([finding], status.conditions, generation, now())
        update = {"observed_generation": generation, "conditions": composed}
        await self.writer.status(obj, status.model_copy(update=update))

    def _made(self, rail: Rail) -> Iterable[Object]:
        """Resources that this rail controls."""
        found = [obj for obj in self.primaries.services() if controller_of(obj).get("uid") == rail.uid]
        return [obj for obj in found if controller_of(obj).get("kind") == RAIL.name]

    def _ready(self, rail: Rail, name: str) -> bool:
        obj = self.primaries.get(Key(SERVICE.name, rail.namespace, name))
        return obj is not None and is_ready(obj)

    def _why(self, rail: Rail, name: str) -> str:
        obj = self.primaries.get(Key(SERVICE.name, rail.namespace, name)) or {}
        if obj.get("metadata", {}).get("deletionTimestamp"):
            return "is being deleted and then made anew"
        said = obj.get("status", {}).get("conditions", [])
        message = next((c.get("message") for c in said if c.get("type") == "Ready"), "")
        return str(message or "is being made")[:300]


def _agrees(desired: Object, live: Object) -> bool:
    return (
        drift.is_current(desired, live)
        and drift.holds(desired["spec"], live["spec"])
        and not drift.foreign_fields(desired, live)
    )


def _reason(refused: Mapping[str, Permanent | ApiError]) -> str:
    """Of several reasons a rival's, which no waiting ends, or else the first."""
    first, *others = refused.values()
    return next((error.reason for error in (first, *others) if isinstance(error, Conflict)), first.reason)


def _refuse_unless_ours(rail: Rail, live: Object) -> None:
    owner = controller_of(live)
    if owner.get("uid") == rail.uid:
        return
    name = live["metadata"]["name"]
    if owner.get("kind") == RAIL.name and owner.get("name") == rail.name:
        raise Conflict(f"SuuupraService {name} belongs to a deleted namesake and is about to be collected")
    whose = f"belongs to {owner.get('kind')} {owner.get('name')}" if owner else "was not made by a rail"
    raise Conflict(f"SuuupraService {name} {whose}: delete it, or let the rail name another")


def _registered(service: str, view: Any) -> Finding:
    trouble = view.get("trouble") if isinstance(view, dict) else None
    if trouble:
        return Finding("Registered", False, "SwitchRefused", f"{service}: {trouble}", again=SOON_SECONDS)
    return Finding("Registered", True, "Registered", f"{service} takes payments over this rail")
