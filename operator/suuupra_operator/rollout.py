"""From a version that is wanted to pods that serve it: migration first, then Deployments, then what runs once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pydantic import ValidationError

from suuupra_operator import conditions
from suuupra_operator.children import Children
from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.conditions import Finding
from suuupra_operator.desired import jobs
from suuupra_operator.desired.deployment import deployments
from suuupra_operator.desired.subject import COMPONENT, INSTANCE, Subject, version_of
from suuupra_operator.errors import ApiError
from suuupra_operator.kinds import DEPLOYMENT, JOB, POD
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.status import JobStatus, SuuupraServiceStatus

RELEASED = "suuupra.io/released"
"""On a Deployment: the spec it was rendered from, so that the old version can be kept whole while a new one waits."""
ALLOW_UNSAFE = "suuupra.io/allow-unsafe-migration"
LOG_LINES = 8


@dataclass(frozen=True)
class Migrated:
    """Whether the wanted version's schema is there."""

    finding: Finding
    open: bool
    migrated: str


class Rollout:
    """Versions of services."""

    def __init__(self, cluster: Cluster, children: Children, linter: str | None) -> None:
        self._cluster, self._children, self._linter = cluster, children, linter

    async def migrate(self, subject: Subject, image: str, oid: int, status: SuuupraServiceStatus) -> Migrated:
        """Run the version's migration once; the gate is open when it is through."""
        wanted = jobs.migration_hash(image, oid)
        if status.migrated == wanted:
            return Migrated(
                Finding("MigrationsReady", True, "Migrated", f"schema of {version_of(image)}"), True, wanted
            )
        linter = self._lint(subject, image, status)
        job = jobs.migration(subject, image, oid, linter=linter)
        live = self._children.cache.get(JOB, subject.namespace, job["metadata"]["name"])
        match conditions.job_state(live):
            case "Succeeded":
                finding = Finding("MigrationsReady", True, "Migrated", f"schema of {version_of(image)}")
                return Migrated(finding, True, wanted)
            case "Failed" if linter is None and live is not None and _refused_by_lint(live):
                await self._children.delete(
                    live
                )  # let through since: made anew, and not judged, once it is gone
            case "Failed":
                return Migrated(await self._failed(subject, job, image, status), False, status.migrated)
            case "Absent":
                await self._children.ensure(subject, [job])
        text = f"Job {job['metadata']['name']} brings the database to {version_of(image)}"
        return Migrated(Finding("MigrationsReady", False, "Migrating", text), False, status.migrated)

    def frozen(self, subject: Subject, image: str, secrets: str) -> list[Object]:
        """What already serves, as it was released: put right when changed by hand, not touched by what is new."""
        live = self._children.cache.get(DEPLOYMENT, subject.namespace, subject.name)
        text = (live or {}).get("metadata", {}).get("annotations", {}).get(RELEASED, "")
        try:
            released = SuuupraServiceSpec.model_validate_json(text)
        except ValidationError:
            released = subject.spec
        return self.released(replace(subject, spec=released), image, secrets)

    def released(self, subject: Subject, image: str, secrets: str) -> list[Object]:
        """Deployments at ``image``, each with the spec it comes from."""
        found = deployments(subject, image, secrets)
        spec = subject.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for deployment in found:
            deployment["metadata"]["annotations"] = {
                RELEASED: json.dumps(spec, sort_keys=True, separators=(",", ":"))
            }
        return found

    async def observe(self, subject: Subject, wanted: list[Object]) -> Finding:
        """Whether the pods follow; when they do not, why not."""
        live = [
            self._children.cache.get(DEPLOYMENT, subject.namespace, w["metadata"]["name"]) for w in wanted
        ]
        finding = conditions.rollout(live)
        if finding.ok or (finding.reason == "Progressing" and not _lags(live)):
            return finding
        trouble = await self._trouble(subject)
        return replace(finding, message=f"{finding.message}; {trouble}" if trouble else finding.message)

    async def leftovers(self, subject: Subject, secrets: str) -> bool:
        """Whether any running pod may still use an earlier login. Migrations have one of their own."""
        for pod in await self._pods(subject):
            finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
            current = pod["metadata"].get("annotations", {}).get("suuupra.io/secrets") == secrets
            if not finished and not current and pod["metadata"]["labels"].get(COMPONENT) != "migrate":
                return True
        return False

    async def run_jobs(
        self, subject: Subject, status: SuuupraServiceStatus, oid: int
    ) -> tuple[Finding, list[JobStatus]]:
        """Run each of spec.jobs once per arguments, image and incarnation of the database; a finished one is remembered
        in the status. ``oid`` is the database's, 0 where there is none."""
        known = {(job.name, job.hash): job for job in status.jobs}
        found: list[JobStatus] = []
        for job in subject.spec.jobs:
            image = jobs.one_off_image(subject, job)
            if image is None:
                text = f"the platform pins no image for {job.image}: set spec.images.pins.{job.image}"
                return Finding("JobsReady", False, "ImageUnknown", text), found
            wanted, undated = jobs.one_off_hash(job, image, oid), jobs.one_off_hash(job, image)
            # What an operator ran that told no incarnation from another was run on this one, as far as anybody knows.
            before = known.get((job.name, wanted)) or known.get((job.name, undated))
            if before is not None and before.state != "Running":
                found.append(before.model_copy(update={"hash": wanted}))
                continue
            run = before.hash if before is not None else wanted
            manifest = jobs.one_off(subject, job, image, run)
            live = self._children.cache.get(JOB, subject.namespace, manifest["metadata"]["name"])
            state = conditions.job_state(live)
            if state == "Absent":
                await self._children.ensure(subject, [manifest])
                state = "Running"
            found.append(JobStatus(name=job.name, hash=run, state=state))
        return await self._jobs_finding(subject, found), found

    def stale(self, subject: Subject, live: Object) -> bool:
        """Whether a finished Job is of no more use: only the present version's are kept."""
        return conditions.job_state(live) in ("Succeeded", "Failed") and not jobs.present(subject, live)

    async def log_tail(self, subject: Subject, selector: str, containers: tuple[str, ...]) -> str:
        """Last lines that a Job's newest pod wrote, of the container that failed."""
        pods = await self._pods(subject, selector)
        pods.sort(key=lambda pod: pod["metadata"]["creationTimestamp"])
        for pod in reversed(pods):
            for container in containers:
                text = await self._log(pod, container)
                if text:
                    return " | ".join(text.splitlines()[-LOG_LINES:])[:1200]
        return ""

    def _lint(self, subject: Subject, image: str, status: SuuupraServiceStatus) -> str | None:
        """The first version has no old pods beside it; an annotation lets one version through unjudged."""
        allowed = subject.annotations.get(ALLOW_UNSAFE) == version_of(image)
        return None if allowed or not status.image else self._linter

    async def _failed(
        self, subject: Subject, job: Object, image: str, status: SuuupraServiceStatus
    ) -> Finding:
        name = job["metadata"]["name"]
        live = self._children.cache.get(JOB, subject.namespace, name) or {}
        tail = await self.log_tail(
            subject, f"batch.kubernetes.io/job-name={name}", ("lint", "migrate", "print-sql")
        )
        if _refused_by_lint(live):
            text = (
                f"the migration to {version_of(image)} cannot run beside the pods that serve: {tail}. Split it into "
                f"expand and contract, or let it through: annotate {ALLOW_UNSAFE}={version_of(image)}"
            )
            return Finding("MigrationsReady", False, "MigrationRefused", text)
        meanwhile = f"; {status.version} keeps serving" if status.image else ""
        text = f"Job {name} failed{meanwhile}: {tail}. Delete the Job to try again"
        return Finding("MigrationsReady", False, "MigrationFailed", text)

    async def _jobs_finding(self, subject: Subject, found: list[JobStatus]) -> Finding:
        failed = [job.name for job in found if job.state == "Failed"]
        running = [job.name for job in found if job.state == "Running"]
        if failed:
            tail = await self.log_tail(subject, f"{INSTANCE}={subject.name},{COMPONENT}=job", ("job",))
            return Finding("JobsReady", False, "JobFailed", f"{', '.join(failed)} failed: {tail}")
        if running:
            return Finding("JobsReady", False, "JobRunning", f"{', '.join(running)} is running")
        return Finding("JobsReady", True, "Done", f"{conditions.counted(len(found), 'job')} done")

    async def _trouble(self, subject: Subject) -> str:
        pods = await self._pods(subject)
        found = [(pod["metadata"]["name"], conditions.pod_trouble(pod)) for pod in pods]
        return "; ".join(f"pod {name}: {trouble}" for name, trouble in found if trouble)[:800]

    async def _pods(self, subject: Subject, selector: str = "") -> list[Object]:
        wanted = selector or f"{INSTANCE}={subject.name}"
        pods, _ = await self._cluster.items(POD, subject.namespace, labelSelector=wanted)
        return pods

    async def _log(self, pod: Object, container: str) -> str:
        path = POD.path(pod["metadata"]["namespace"], pod["metadata"]["name"], "log")
        try:
            return await self._cluster.text(path, container=container, tailLines=str(LOG_LINES))
        except ApiError:  # no such container in this pod, or it never started
            return ""


def _refused_by_lint(job: Object) -> bool:
    """Only the lint's exit code is in the Job's pod failure policy."""
    return any(c.get("reason") == "PodFailurePolicy" for c in job.get("status", {}).get("conditions", []))


def _lags(live: list[Object | None]) -> bool:
    """Whether pods exist that are not ready: only then is it worth asking them why."""
    return any(d is not None and d.get("status", {}).get("unavailableReplicas", 0) for d in live)
