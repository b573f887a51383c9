"""The end of a resource: pods first, then what the reclaim policies say, then the finalizer. Never stuck for good."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from suuupra_operator import conditions
from suuupra_operator.backends import Backends
from suuupra_operator.buckets import user_of
from suuupra_operator.catalog import Names, retire_statements
from suuupra_operator.children import Children
from suuupra_operator.claims import Claim, Claims
from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.conditions import Finding
from suuupra_operator.desired.subject import INSTANCE, Subject
from suuupra_operator.errors import ApiError, Pending, Permanent, Temporary
from suuupra_operator.events import Recorder
from suuupra_operator.kinds import DEPLOYMENT, JOB, POD
from suuupra_operator.models import Reclaim, SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.primaries import InvalidSpec, Primaries, key_of, spec_of, status_of
from suuupra_operator.provide.cache import CacheProvider
from suuupra_operator.provide.secrets import SecretsProvider
from suuupra_operator.queue import Key
from suuupra_operator.round import Outcome, subject_of
from suuupra_operator.snapshots import BUCKET, Snapshots
from suuupra_operator.status import Claims as MadeFor
from suuupra_operator.status import SuuupraServiceStatus
from suuupra_operator.writer import FINALIZER, Writer, now
from suuupra_operator.writes import Write

log = logging.getLogger(__name__)

RELEASE = "suuupra.io/release"
ORPHANS = "suuupra-orphans"
"""ConfigMap beside the operator that lists what was left behind on purpose."""
POLL_SECONDS = 2.0


@dataclass
class Deletion:
    """Takes leave of resources."""

    cluster: Cluster
    children: Children
    backends: Backends
    snapshots: Snapshots
    recorder: Recorder
    primaries: Primaries
    writer: Writer
    namespace: str
    """The operator's own."""

    async def leave(self, obj: Object) -> Outcome:
        """One step towards the end of a resource that is being deleted."""
        if FINALIZER not in obj["metadata"].get("finalizers", []):
            return Outcome()
        status = status_of(obj)
        if obj["metadata"].get("annotations", {}).get(RELEASE) == "true":
            await self.release(obj, status)
            await self.writer.remove_finalizer(obj)
            return Outcome()
        try:
            spec = spec_of(obj)
        except InvalidSpec:  # what cannot be read cannot ask for anything to be deleted
            spec = SuuupraServiceSpec()
        subject = subject_of(obj, spec, self.primaries.platform() or SuuupraPlatformSpec())
        try:
            await self.finish(obj, subject, status)
        except (Temporary, Permanent, ApiError) as error:
            return await self._wait(obj, status, error)
        await self.writer.remove_finalizer(obj)
        return Outcome()

    async def _wait(self, obj: Object, status: SuuupraServiceStatus, cause: Exception) -> Outcome:
        """Say what is waited for; pods end soon, a server that is away may take its time."""
        text = f"{cause}. To let go at once and keep what is there: annotate {RELEASE}=true"
        finding = Finding("Deleted", False, "WaitingToDelete", text)
        generation = obj["metadata"]["generation"]
        composed = conditions.compose([finding], status.conditions, generation, now())
        said = {"conditions": composed, "observed_generation": generation}
        await self.writer.status(obj, status.model_copy(update=said))
        if isinstance(cause, Pending):
            return Outcome(again=POLL_SECONDS)
        await self.recorder.post(obj, "Warning", "WaitingToDelete", text)
        return Outcome(retry=True)

    async def finish(self, obj: Object, subject: Subject, status: SuuupraServiceStatus) -> None:
        """Do all that must be done before the finalizer goes; raises Temporary while something must be waited for."""
        await self._stop_pods(subject)
        made = own(key_of(obj), status.claims, self.primaries.claims)
        if made.database:
            made = await self._noted(obj, made)
        for step in self._steps(subject, status.claims, made):
            await step()
        await self.recorder.post(obj, "Normal", "Deleted", _farewell(subject, made))

    async def release(self, obj: Object, status: SuuupraServiceStatus) -> list[str]:
        """Let go at once; returns and records what stays behind without an owner."""
        claims = own(key_of(obj), status.claims, self.primaries.claims)
        orphans = [f"database/{claims.database}"] if claims.database else []
        orphans += [f"topic/{name}" for name in claims.topics] + [f"bucket/{name}" for name in claims.buckets]
        orphans += [f"secrets/{claims.secrets}"] if claims.secrets else []
        orphans += [f"cache/{claims.cache}"] if claims.cache else []
        if not orphans:
            return []
        meta = obj["metadata"]
        log.warning("%s/%s released; orphaned: %s", meta["namespace"], meta["name"], ", ".join(orphans))
        await self.recorder.post(obj, "Warning", "Released", f"left behind on request: {', '.join(orphans)}")
        await self._record(f"{meta['namespace']}.{meta['name']}.{meta['uid']}", orphans)
        return orphans

    async def _record(self, key: str, orphans: list[str]) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/{ORPHANS}"
        text = f"{datetime.now(UTC).isoformat(timespec='seconds')} {' '.join(orphans)}"
        try:
            async with self.writer.gate.kubernetes(Write.ORPHANS_RECORDED):
                await self.cluster.merge(path, {"data": {key: text}})
        except ApiError as error:
            if error.temporary:
                raise
            log.error("orphans of %s are recorded only here (%s): %s", key, error, text)

    async def _stop_pods(self, subject: Subject) -> None:
        """Nothing may write into what is about to be dumped or dropped."""
        await self.children.prune(
            subject, [], keep=lambda live: live["kind"] not in (DEPLOYMENT.name, JOB.name)
        )
        try:
            pods, _ = await self.cluster.items(
                POD, subject.namespace, labelSelector=f"{INSTANCE}={subject.name}"
            )
        except ApiError as error:
            if (
                error.forbidden or error.missing
            ):  # a namespace on its way out takes our Role and the pods with it
                return
            raise
        running = [
            p["metadata"]["name"]
            for p in pods
            if p.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]
        if running:
            raise Pending(f"waits until its pods have ended: {', '.join(sorted(running)[:5])}")

    async def _noted(self, obj: Object, made: MadeFor) -> MadeFor:
        """The database's own note has the last word: read now, since what follows cannot be undone."""
        await self.backends.databases.refresh()
        live = self.backends.databases.known().databases.get(made.database)
        if live is None or not live.anothers(str(key_of(obj))):
            return made
        return made.model_copy(update={"database": ""})

    def _steps(
        self, subject: Subject, claimed: MadeFor, made: MadeFor
    ) -> list[Callable[[], Awaitable[None]]]:
        """``claimed`` is all that was ever made for the resource, ``made`` what of it is nobody else's by now."""
        steps: list[Callable[[], Awaitable[None]]] = []
        if made.database:
            steps.append(lambda: self._database(subject, made.database))
        if made.topics and subject.spec.events and subject.spec.events.reclaim is Reclaim.DELETE:
            steps.append(lambda: self._topics(made.topics))
        if claimed.buckets:  # its user is its own, whoever has the buckets
            steps.append(lambda: self._buckets(subject, made.buckets))
        if made.secrets:
            steps.append(lambda: self._secrets(subject, made.secrets))
        if made.cache:
            cache = CacheProvider(self.backends.valkey, self.children)
            steps.append(lambda: cache.withdraw(made.cache))
        return steps

    async def _database(self, subject: Subject, database: str) -> None:
        databases, names = self.backends.databases, Names(database)
        reclaim = subject.spec.database.reclaim if subject.spec.database else Reclaim.RETAIN
        known = databases.known()
        if reclaim is Reclaim.RETAIN:
            await databases.run(Write.LOGIN_RETIRED, retire_statements(known, names, frozenset()))
            return
        if reclaim is Reclaim.SNAPSHOT and database in known.databases:
            key = f"{subject.namespace}/{subject.name}/{database}-{subject.uid}.dump"
            await self.snapshots.take(key, database)
        if database in known.databases:
            await databases.drop_database(database)
        if any(role in known.roles for role in names.all):
            await databases.drop_roles(names)

    async def _topics(self, names: list[str]) -> None:
        there = [name for name in names if name in self.backends.bus.known()]
        if there:
            await self.backends.bus.delete(there)

    async def _buckets(self, subject: Subject, names: list[str]) -> None:
        store, user = self.backends.store, user_of(subject.namespace, subject.name)
        delete = {f"{subject.name}-{b.name}" for b in subject.spec.buckets if b.reclaim is Reclaim.DELETE}
        if user in store.known().users:
            await store.delete_user(user)
        for name in names:
            if name in delete and name in store.known().buckets:
                await store.delete_bucket(name)

    async def _secrets(self, subject: Subject, name: str) -> None:
        await SecretsProvider(self.backends.vault).withdraw(name)
        if subject.spec.secrets is not None and subject.spec.secrets.reclaim is Reclaim.DELETE:
            await self.backends.vault.delete_below(name)


def own(key: Key, made: MadeFor, claims: Claims) -> MadeFor:
    """What was made for a resource and is nobody else's by now: what another took over is not to be touched."""

    def mine(kind: str, name: str) -> str:
        return "" if claims.others(key, Claim(kind, name)) else name

    return MadeFor(
        database=mine("database", made.database),
        topics=[name for name in made.topics if mine("topic", name)],
        buckets=[name for name in made.buckets if mine("bucket", name)],
        secrets=mine("secrets", made.secrets),
        cache=mine("cache", made.cache),
    )


def _farewell(subject: Subject, claims: MadeFor) -> str:
    spec = subject.spec
    kept = []
    if claims.database and (spec.database is None or spec.database.reclaim is Reclaim.RETAIN):
        kept.append(f"database {claims.database}")
    if claims.database and spec.database is not None and spec.database.reclaim is Reclaim.SNAPSHOT:
        kept.append(f"a dump of {claims.database} in bucket {BUCKET}")
    if claims.topics and (spec.events is None or spec.events.reclaim is Reclaim.RETAIN):
        kept.append(f"topics {', '.join(claims.topics)}")
    delete = {f"{subject.name}-{b.name}" for b in spec.buckets if b.reclaim is Reclaim.DELETE}
    kept += [f"bucket {name}" for name in claims.buckets if name not in delete]
    if claims.secrets and (spec.secrets is None or spec.secrets.reclaim is Reclaim.RETAIN):
        kept.append(f"secrets below {claims.secrets}/")
    return f"kept: {'; '.join(kept)}" if kept else "nothing is left behind"
