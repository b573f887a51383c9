"""One level-triggered reconcile of one SuuupraService: look at everything, change what differs, say what was found.

It keeps no memory between runs: what to do follows from the spec, the watched children, the bulk reads and the status.
A part that fails becomes a condition and stops no other part.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from suuupra_operator import conditions
from suuupra_operator.backends import Backends, require
from suuupra_operator.children import Children
from suuupra_operator.cluster import Object
from suuupra_operator.conditions import Finding
from suuupra_operator.deletion import POLL_SECONDS, Deletion
from suuupra_operator.desired.subject import Subject, version_of
from suuupra_operator.errors import Permanent
from suuupra_operator.events import Recorder
from suuupra_operator.kinds import DEPLOYMENT, JOB, SECRET, SERVICE
from suuupra_operator.primaries import InvalidSpec, Primaries, is_ready, key_of, spec_of, status_of
from suuupra_operator.provide.database import Provided as ProvidedDatabase
from suuupra_operator.provide.database import pending
from suuupra_operator.provide.topics import TYPE as TOPICS
from suuupra_operator.provision import Made, Provision
from suuupra_operator.queue import Key
from suuupra_operator.rollout import Rollout
from suuupra_operator.round import Outcome, Round, secrets_of, static_children
from suuupra_operator.status import DatabaseStatus, SuuupraServiceStatus
from suuupra_operator.writer import Writer, now

log = logging.getLogger(__name__)

ORDINARY = frozenset(
    {
        "Progressing",
        "Migrating",
        "JobRunning",
        "Waiting",
        "WaitingForBuckets",
        "WaitingForCache",
        "WaitingForDatabase",
        "WaitingForDependency",
        "WaitingForMail",
        "WaitingForMigration",
        "WaitingForSecrets",
        "WaitingForTopics",
    }
)
"""Reasons that belong to a rollout that goes well: conditions say them, Events do not."""


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
    alerts: Mapping[str, str]
    """By service: the rule file of its code."""

    def __post_init__(self) -> None:
        self._provision = Provision(self.primaries, self.children, self.backends, self.writer, self.recorder)

    async def reconcile(self, key: Key) -> Outcome:
        """Bring one resource a step, or all the way, to what it says."""
        obj = self.primaries.get(key)
        if obj is None:
            self.children.cache.forget(key)
            return Outcome()
        if obj["metadata"].get("deletionTimestamp"):
            return await self.deletion.leave(obj)
        if key.namespace not in self.namespaces:
            return await self._refuse(obj, "NamespaceNotServed", self._unserved(key.namespace))
        try:
            spec, platform = spec_of(obj), require(self.primaries.platform())
        except InvalidSpec as error:
            return await self._refuse(obj, error.reason, str(error))
        except Permanent as error:
            return await self._refuse(obj, "PlatformMissing", str(error))
        obj = await self.writer.add_finalizer(obj)
        operated = self.primaries.operated(key.namespace, key.name)
        return await self._provide(Round.begin(obj, spec, platform, operated=operated))

    async def _provide(self, run: Round) -> Outcome:
        for claim, holder in self.primaries.claims.take(key_of(run.obj)).items():
            run.lost.setdefault(claim.kind, {})[claim.name] = str(holder)
        made = await self._provision.run(run)
        await run.attempt("ChildrenReady", self._always(run))
        status = await self._versions(run, made)
        run.found(conditions.routes(len(run.subject.spec.routes), run.refused_routes()))
        return await self._conclude(run, status)

    async def _always(self, run: Round) -> None:
        """Children that depend on nothing but the spec; those no longer wanted go."""
        wanted = static_children(run.subject, self.alerts.get(run.subject.service, ""))
        run.corrected += await self.children.ensure(run.subject, wanted)
        kept = secrets_of(run.subject)
        await self.children.prune(
            run.subject, wanted, keep=lambda live: _kept(run.subject, live, kept, self.rollout)
        )

    async def _versions(self, run: Round, made: Made) -> SuuupraServiceStatus:
        """Migration, Deployments, jobs; returns the status with what is known of versions and pods."""
        status, database = run.status, made.database
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
        secrets, blocked = made.digest(), self._blocked(run, made)
        if blocked is not None and not self._exists(run):
            run.found(blocked)
            return status
        if blocked is not None:  # what serves is left alone while a backing server is away
            run.found(replace(blocked, reason="Waiting"))
            return status
        return (
            await run.attempt("RolloutReady", self._release(run, status, image, secrets, database)) or status
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
        databases = self._provision.databases
        if database is not None and databases.retirable(run.subject, database.login):
            if await self.rollout.leftovers(run.subject, secrets):
                run.again.append(POLL_SECONDS)
            else:
                await databases.retire(run.subject, database.login)
                if pending(run.subject, database.rotation):
                    run.again.append(POLL_SECONDS)
        if run.subject.spec.jobs:
            oid = database.oid if database is not None else 0
            finding, jobs = await self.rollout.run_jobs(run.subject, status, oid)
            run.found(finding)
            return status.model_copy(update={"jobs": jobs})
        return status.model_copy(update={"jobs": []})

    def _blocked(self, run: Round, made: Made) -> Finding | None:
        """What must be there before the first pod starts."""
        subject = run.subject
        missing = made.missing(subject)
        if missing is not None:
            text = f"pods start when the {missing.words} there"
            return Finding("RolloutReady", False, f"WaitingFor{missing.reason}", text)
        if self._exists(run):
            return None
        failed = [f for f in run.findings if f.type == TOPICS and not f.ok and f.reason != "WaitingForTopic"]
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
        obj = self.primaries.get(Key(SERVICE.name, namespace, name))
        return obj is not None and is_ready(obj)

    async def _conclude(self, run: Round, status: SuuupraServiceStatus) -> Outcome:
        """Write the status when it differs, and say in Events what somebody should know."""
        live = self.children.cache.get(DEPLOYMENT, run.subject.namespace, run.subject.name)
        pods = conditions.pods(live)
        generation = run.obj["metadata"]["generation"]
        selector = ",".join(f"{key}={value}" for key, value in run.subject.selector("serve").items())
        composed = conditions.compose(run.findings, status.conditions, generation, now())
        routes = conditions.route_statuses(run.subject.spec.routes, run.refused_routes())
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
        return run.outcome()

    async def _tell(self, run: Round, written: Object) -> None:
        for what in run.corrected:
            text = f"{what} was changed by hand and is as the resource says again"
            await self.recorder.post(run.obj, "Warning", "DriftCorrected", text)
        if is_ready(written) and not run.settled:
            text = f"{run.subject.service} {status_of(written).version} serves"
            await self.recorder.post(run.obj, "Normal", "Ready", text)
        known = {(c.type, c.reason) for c in run.status.conditions}
        for finding in run.findings:
            quiet = (finding.ok and not finding.unknown) or finding.reason in ORDINARY
            if not quiet and (finding.type, finding.reason) not in known:
                await self.recorder.post(
                    run.obj, "Warning", finding.reason, f"{finding.type}: {finding.message}"
                )

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
