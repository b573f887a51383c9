"""One level-triggered reconcile of one SuuupraService: look at everything, change what differs, say what was found.

It keeps no memory between runs: what to do follows from the spec, the watched children, the bulk reads and the status.
A part that fails becomes a condition and stops no other part.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from suuupra_operator import conditions
from suuupra_operator.backends import Backends, require
from suuupra_operator.children import Children
from suuupra_operator.claims import route_claims
from suuupra_operator.cluster import Object
from suuupra_operator.conditions import Finding
from suuupra_operator.deletion import POLL_SECONDS, RELEASE, Deletion
from suuupra_operator.desired.dashboard import dashboard
from suuupra_operator.desired.environment import database_secret, migration_secret, objects_secret
from suuupra_operator.desired.network import network_policy
from suuupra_operator.desired.rules import rules
from suuupra_operator.desired.scaling import autoscaler, disruption_budget
from suuupra_operator.desired.service import service, service_account
from suuupra_operator.desired.subject import Manifest, Subject, digest, version_of
from suuupra_operator.errors import ApiError, OperatorError, Permanent, Temporary, Unreachable
from suuupra_operator.events import Recorder
from suuupra_operator.kinds import DEPLOYMENT, JOB, SECRET
from suuupra_operator.models import (
    Claims,
    DatabaseStatus,
    RouteStatus,
    SuuupraServiceSpec,
    SuuupraServiceStatus,
)
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.primaries import InvalidSpec, Primaries, is_ready, spec_of, status_of
from suuupra_operator.provide.database import DatabaseProvider
from suuupra_operator.provide.database import Provided as ProvidedDatabase
from suuupra_operator.provide.objects import ObjectsProvider
from suuupra_operator.provide.objects import Provided as ProvidedObjects
from suuupra_operator.provide.topics import Plan, TopicProvider
from suuupra_operator.queue import Key
from suuupra_operator.rollout import Rollout
from suuupra_operator.writer import FINALIZER, Writer, now

log = logging.getLogger(__name__)

_T = TypeVar("_T")
REFUSED_AGAIN_SECONDS = 120.0
"""How often to see whether somebody cleared away what stood in the way."""


@dataclass
class Round:
    """What one reconcile has found so far."""

    obj: Object
    subject: Subject
    status: SuuupraServiceStatus
    settled: bool
    """This very spec was seen Ready before: what differs now was changed by hand."""
    findings: list[Finding] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    lost: dict[str, dict[str, str]] = field(default_factory=dict)
    """By kind of claim: what another resource holds, and which."""
    again: list[float] = field(default_factory=list)

    def found(self, finding: Finding) -> Finding:
        self.findings.append(finding)
        return finding


@dataclass
class Outcome:
    """What the queue should do with the key."""

    retry: bool = False
    again: float | None = None


@dataclass
class Reconciler:
    """Reconciles SuuupraServices."""

    primaries: Primaries
    children: Children
    backends: Backends
    writer: Writer
    recorder: Recorder
    rollout: Rollout
    deletion: Deletion
    namespaces: frozenset[str]

    def __post_init__(self) -> None:
        self._database = DatabaseProvider(self.backends.databases, self.children)
        self._topics = TopicProvider(self.backends.bus)
        self._objects = ObjectsProvider(self.backends.store, self.children)

    async def reconcile(self, key: Key) -> Outcome:
        """Bring one resource a step, or all the way, to what it says."""
        obj = self.primaries.get(key)
        if obj is None:
            return Outcome()
        if obj["metadata"].get("deletionTimestamp"):
            return await self._leave(obj)
        if key.namespace not in self.namespaces:
            return await self._refuse(obj, "NamespaceNotServed", self._unserved(key.namespace))
        try:
            spec, platform = spec_of(obj), require(self.primaries.platform())
        except InvalidSpec as error:
            return await self._refuse(obj, error.reason, str(error))
        except Permanent as error:
            return await self._refuse(obj, "PlatformMissing", str(error))
        obj = await self.writer.add_finalizer(obj)
        return await self._provide(_round(obj, spec, platform))

    async def _provide(self, run: Round) -> Outcome:
        for claim, holder in self.primaries.claims.lost(_key(run.obj)).items():
            run.lost.setdefault(claim.kind, {})[claim.name] = str(holder)
        database, plan, buckets = await self._claims(run)
        provided = await self._backing(run, database, plan, buckets)
        await self._attempt(run, "ChildrenReady", self._always(run))
        status = await self._versions(run, *provided)
        run.found(self._routes(run))
        return await self._conclude(run, status)

    async def _claims(self, run: Round) -> tuple[str, Plan | None, list[str] | None]:
        """Decide what the resource may have, and write it down before anything is made."""
        lost_database = run.lost.get("database", {})
        database = ""
        for name, holder in lost_database.items():
            text = f"database {name} belongs to the older resource {holder}: set database.name"
            run.found(Finding("DatabaseReady", False, "ResourceConflict", text))
        if run.subject.database and not lost_database:
            database = await self._attempt(run, "DatabaseReady", _later(self._database.plan, run)) or ""
        plan = None
        if run.subject.spec.events is not None or run.status.claims.topics:
            plan = await self._attempt(run, "TopicsReady", self._plan_topics(run))
        buckets = None
        if run.subject.spec.buckets:
            buckets = await self._attempt(run, "BucketsReady", self._plan_buckets(run))
        old = run.status.claims
        claims = Claims(
            database=database or old.database,
            topics=sorted({*plan.claims, *plan.delete}) if plan is not None else old.topics,
            buckets=sorted({*old.buckets, *(buckets or [])}),
        )
        if claims != old:
            run.status = run.status.model_copy(update={"claims": claims})
            run.obj = await self.writer.status(run.obj, run.status)
        return database, plan, buckets

    async def _plan_topics(self, run: Round) -> Plan:
        return self._topics.plan(run.subject, run.status, run.lost.get("topic", {}), settled=run.settled)

    async def _plan_buckets(self, run: Round) -> list[str]:
        return self._objects.plan(run.subject, run.lost.get("bucket", {}))

    async def _backing(
        self, run: Round, database: str, plan: Plan | None, buckets: list[str] | None
    ) -> tuple[ProvidedDatabase | None, ProvidedObjects | None]:
        """Database, topics, buckets: each by itself, so that one backend that is down holds up only its own part."""
        made = objects = None
        if database:
            made = await self._attempt(run, "DatabaseReady", self._database.provide(run.subject, run.status))
            if made is not None:
                run.found(made.finding)
                run.corrected += made.corrected
                if made.rotated:
                    text = f"pods move to login {made.login}; the old one stays until all have"
                    await self.recorder.post(run.obj, "Normal", "PasswordRotated", text)
        if plan is not None:
            finding = await self._attempt(run, "TopicsReady", self._topics.provide(run.subject, plan))
            if finding is not None:
                run.found(finding)
                run.corrected += [f"topic {name}" for name in plan.drifted]
        if buckets is not None:
            lost = run.lost.get("bucket", {})
            objects = await self._attempt(
                run, "BucketsReady", self._objects.provide(run.subject, buckets, lost)
            )
            if objects is not None:
                run.found(objects.finding)
        return made, objects

    async def _always(self, run: Round) -> None:
        """Children that depend on nothing but the spec; those no longer wanted go."""
        wanted = static_children(run.subject)
        run.corrected += await self.children.ensure(run.subject, wanted)
        kept = _secrets_of(run.subject)
        await self.children.prune(
            run.subject, wanted, keep=lambda live: _kept(run.subject, live, kept, self.rollout)
        )

    async def _versions(
        self, run: Round, database: ProvidedDatabase | None, objects: ProvidedObjects | None
    ) -> SuuupraServiceStatus:
        """Migration, Deployments, jobs; returns the status with what is known of versions and pods."""
        status = run.status
        if database is not None:
            update = DatabaseStatus(
                name=run.subject.database or "", login=database.login, rotation=database.rotation
            )
            status = status.model_copy(update={"database": update})
        image = run.subject.image
        if image is None:
            service_name = run.subject.service
            text = (
                f"no version of {service_name} is named: set spec.images.pins.{service_name} of the platform"
            )
            run.found(Finding("RolloutReady", False, "ImageUnknown", text))
            return status
        secrets = digest(database.secrets if database else "", objects.secrets if objects else "")
        blocked = self._blocked(run, database, objects)
        if blocked is not None and not self._exists(run):
            run.found(blocked)
            return status
        if blocked is not None:  # what serves is left alone while a backing server is away
            run.found(replace(blocked, reason="Waiting"))
            return status
        return (
            await self._attempt(run, "RolloutReady", self._release(run, status, image, secrets, database))
            or status
        )

    async def _release(
        self,
        run: Round,
        status: SuuupraServiceStatus,
        image: str,
        secrets: str,
        database: ProvidedDatabase | None,
    ) -> SuuupraServiceStatus:
        subject, rollout = run.subject, self.rollout
        serving, gate_open = image, True
        if database is not None:
            migrated = await rollout.migrate(subject, image, database.oid, status)
            run.found(migrated.finding)
            gate_open, serving = migrated.open, image if migrated.open else status.image
            status = status.model_copy(update={"migrated": migrated.migrated})
        if not serving:
            run.found(
                Finding(
                    "RolloutReady", False, "WaitingForMigration", "the first version waits for its schema"
                )
            )
            return status
        make = rollout.released if gate_open else rollout.frozen
        wanted = make(subject, serving, secrets)
        run.corrected += await self.children.ensure(subject, wanted)
        names = {deployment["metadata"]["name"] for deployment in wanted}
        for live in self.children.cache.of(subject):
            if live["kind"] == DEPLOYMENT.name and live["metadata"]["name"] not in names:
                await self.children.delete(live)
        rolled = run.found(await rollout.observe(subject, wanted))
        status = status.model_copy(update={"image": serving, "version": version_of(serving)})
        if rolled.ok and gate_open:
            status = await self._afterwards(run, status, secrets, database)
        return status

    async def _afterwards(
        self, run: Round, status: SuuupraServiceStatus, secrets: str, database: ProvidedDatabase | None
    ) -> SuuupraServiceStatus:
        """Once every pod is new: retire the old login, run what runs once."""
        if database is not None and self._database.retirable(run.subject, database.login):
            if await self.rollout.leftovers(run.subject, secrets):
                run.again.append(POLL_SECONDS)
            else:
                await self._database.retire(run.subject, database.login)
        if run.subject.spec.jobs:
            finding, jobs = await self.rollout.run_jobs(run.subject, status)
            run.found(finding)
            return status.model_copy(update={"jobs": jobs})
        return status.model_copy(update={"jobs": []})

    def _blocked(
        self, run: Round, database: ProvidedDatabase | None, objects: ProvidedObjects | None
    ) -> Finding | None:
        """What must be there before the first pod starts."""
        subject = run.subject
        if subject.spec.database is not None and database is None:
            return Finding(
                "RolloutReady", False, "WaitingForDatabase", "pods start when the database is there"
            )
        if subject.spec.buckets and objects is None:
            return Finding(
                "RolloutReady", False, "WaitingForBuckets", "pods start when the buckets are there"
            )
        if self._exists(run):
            return None
        failed = [
            f for f in run.findings if f.type == "TopicsReady" and not f.ok and f.reason != "WaitingForTopic"
        ]
        if failed:
            return Finding("RolloutReady", False, "WaitingForTopics", "pods start when the topics are there")
        waiting = [name for name in subject.spec.depends_on if not self._ready(subject.namespace, name)]
        if waiting:
            text = f"waits until {', '.join(waiting)} is Ready"
            return Finding("RolloutReady", False, "WaitingForDependency", text)
        return None

    def _exists(self, run: Round) -> bool:
        return self.children.cache.get(DEPLOYMENT, run.subject.namespace, run.subject.name) is not None

    def _ready(self, namespace: str, name: str) -> bool:
        obj = self.primaries.get(Key("SuuupraService", namespace, name))
        return obj is not None and is_ready(obj)

    def _routes(self, run: Round) -> Finding:
        refused = _refused_routes(run)
        if refused:
            return Finding(
                "RoutesReady", False, "RouteConflict", "; ".join(text for _, text in refused.values())
            )
        return Finding("RoutesReady", True, "Accepted", f"{len(run.subject.spec.routes)} routes")

    async def _conclude(self, run: Round, status: SuuupraServiceStatus) -> Outcome:
        """Write the status when it differs, and say in Events what somebody should know."""
        live = self.children.cache.get(DEPLOYMENT, run.subject.namespace, run.subject.name)
        pods = conditions.pods(live)
        generation = run.obj["metadata"]["generation"]
        selector = ",".join(f"{key}={value}" for key, value in run.subject.selector("serve").items())
        composed = conditions.compose(run.findings, status.conditions, generation, now())
        routes: list[RouteStatus] = conditions.accepted(run.subject.spec.routes, _refused_routes(run))
        update = {
            "observed_generation": generation,
            "conditions": composed,
            "replicas": pods.replicas,
            "ready_replicas": pods.ready,
            "selector": selector,
            "routes": routes,
        }
        written = await self.writer.status(run.obj, status.model_copy(update=update))
        await self._tell(run, written)
        return _outcome(run)

    async def _tell(self, run: Round, written: Object) -> None:
        for what in run.corrected:
            text = f"{what} was changed by hand and is as the resource says again"
            await self.recorder.post(run.obj, "Warning", "DriftCorrected", text)
        if is_ready(written) and not run.settled:
            text = f"{run.subject.service} {status_of(written).version} serves"
            await self.recorder.post(run.obj, "Normal", "Ready", text)
        known = {(c.type, c.reason) for c in run.status.conditions}
        for finding in run.findings:
            quiet = finding.ok or finding.reason in ("Progressing", "Migrating", "JobRunning")
            if not quiet and (finding.type, finding.reason) not in known:
                await self.recorder.post(
                    run.obj, "Warning", finding.reason, f"{finding.type}: {finding.message}"
                )

    async def _leave(self, obj: Object) -> Outcome:
        """The resource is being deleted."""
        if FINALIZER not in obj["metadata"].get("finalizers", []):
            return Outcome()
        status = status_of(obj)
        if obj["metadata"].get("annotations", {}).get(RELEASE) == "true":
            await self.deletion.release(obj, status)
            await self.writer.remove_finalizer(obj)
            return Outcome()
        try:
            spec = spec_of(obj)
        except InvalidSpec:  # what cannot be read cannot ask for anything to be deleted
            spec = SuuupraServiceSpec()
        subject = _subject(obj, spec, self.primaries.platform() or SuuupraPlatformSpec())
        try:
            await self.deletion.finish(obj, subject, status)
        except (Temporary, Permanent, ApiError) as error:
            hint = f"{error}. To let go at once and keep what is there: annotate {RELEASE}=true"
            waiting = Finding("Deleted", False, "WaitingToDelete", hint)
            composed = conditions.compose([waiting], [], obj["metadata"]["generation"], now())
            before = {(c.type, c.reason): c.last_transition_time for c in status.conditions}
            kept = [
                c.model_copy(
                    update={"last_transition_time": before.get((c.type, c.reason)) or c.last_transition_time}
                )
                for c in composed
            ]
            await self.writer.status(obj, status.model_copy(update={"conditions": kept}))
            if isinstance(error, Unreachable):
                await self.recorder.post(obj, "Warning", "WaitingToDelete", hint)
                return Outcome(retry=True)
            return Outcome(again=POLL_SECONDS)
        await self.writer.remove_finalizer(obj)
        return Outcome()

    async def _refuse(self, obj: Object, reason: str, message: str) -> Outcome:
        """The resource cannot be acted upon until somebody changes something."""
        status = status_of(obj)
        finding = Finding("Accepted", False, reason, message)
        generation = obj["metadata"]["generation"]
        update = {
            "observed_generation": generation,
            "conditions": conditions.compose([finding], status.conditions, generation, now()),
        }
        await self.writer.status(obj, status.model_copy(update=update))
        await self.recorder.post(obj, "Warning", reason, message)
        return Outcome()

    def _unserved(self, namespace: str) -> str:
        served = ", ".join(sorted(self.namespaces))
        return f"the operator serves {served}; add {namespace} to the chart's watchNamespaces, or move the resource"

    async def _attempt(self, run: Round, kind: str, part: Awaitable[_T]) -> _T | None:
        """Run one part; its failure becomes a finding."""
        try:
            return await part
        except Temporary as error:
            run.found(Finding(kind, False, error.reason, str(error), retry=True))
        except ApiError as error:
            run.found(Finding(kind, False, error.reason, str(error), retry=error.temporary))
            if not error.temporary:
                run.again.append(REFUSED_AGAIN_SECONDS)
        except OperatorError as error:
            run.found(Finding(kind, False, "ResourceConflict", str(error)))
            run.again.append(REFUSED_AGAIN_SECONDS)
        return None


def static_children(subject: Subject) -> list[Manifest]:
    """Children that follow from the spec alone."""
    scaler = autoscaler(subject)
    return [
        service_account(subject),
        service(subject),
        network_policy(subject),
        disruption_budget(subject),
        rules(subject),
        dashboard(subject),
        *([scaler] if scaler else []),
    ]


def _round(obj: Object, spec: SuuupraServiceSpec, platform: SuuupraPlatformSpec) -> Round:
    return Round(obj, _subject(obj, spec, platform), status_of(obj), settled=is_ready(obj))


def _subject(obj: Object, spec: SuuupraServiceSpec, platform: SuuupraPlatformSpec) -> Subject:
    meta = obj["metadata"]
    return Subject(meta["namespace"], meta["name"], meta["uid"], spec, platform, meta.get("annotations", {}))


def _key(obj: Object) -> Key:
    return Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


async def _later(plan: object, run: Round) -> str:
    return plan(run.subject, run.status)  # type: ignore[operator,no-any-return]


def _secrets_of(subject: Subject) -> set[str]:
    names = {database_secret(subject), migration_secret(subject)} if subject.spec.database else set[str]()
    return names | ({objects_secret(subject)} if subject.spec.buckets else set())


def _kept(subject: Subject, live: Object, secrets: set[str], rollout: Rollout) -> bool:
    """What `_always` leaves to others: Secrets in use, Deployments, Jobs of this version."""
    match live["kind"]:
        case DEPLOYMENT.name:
            return True
        case SECRET.name:
            return live["metadata"]["name"] in secrets
        case JOB.name:
            return not rollout.stale(subject, live)
        case _:
            return False


def _refused_routes(run: Round) -> dict[int, tuple[str, str]]:
    """By index: routes whose path another resource, or an earlier route of this one, already has."""
    lost, taken = run.lost.get("route", {}), set[str]()
    refused: dict[int, tuple[str, str]] = {}
    for index, route in enumerate(run.subject.spec.routes):
        names = [claim.name for claim in route_claims(route)]
        foreign = next((name for name in names if name in lost), None)
        if foreign is not None:
            refused[index] = "RouteConflict", f"{foreign} belongs to the older resource {lost[foreign]}"
        elif any(name in taken for name in names):
            refused[index] = (
                "RouteConflict",
                f"{route.path} ({route.match}) is declared twice for the same method",
            )
        taken.update(names)
    return refused


def _outcome(run: Round) -> Outcome:
    waits = [*run.again, *(f.again for f in run.findings if f.again is not None)]
    return Outcome(retry=any(f.retry for f in run.findings), again=min(waits, default=None))
