"""Jobs: the migration of a version, which gates its rollout, and what spec.jobs asks to run once."""

from __future__ import annotations

from suuupra_operator.desired.environment import environment, migration_secret
from suuupra_operator.desired.pod import container, pod
from suuupra_operator.desired.subject import Manifest, Subject, digest, version_of
from suuupra_operator.models import JobSpec

LINT_REFUSED = 42
"""Exit code of the lint: refused for good, so the Job is failed at once instead of tried again."""
_PENDING = {"name": "pending", "mountPath": "/pending"}


def migration(subject: Subject, image: str, database_oid: int, *, linter: str | None) -> Manifest:
    """The Job that brings the database to ``image``'s schema; a database that was made anew gets a Job of its own.

    ``linter`` is the operator's image: where given, the SQL that is still to run must pass the lint first.
    """
    name = f"{subject.name}-migrate-{migration_hash(image, database_oid)}"
    env = environment(subject, image, secret=migration_secret(subject))
    main = container(subject, "migrate", image, ["migrate", subject.service], env)
    init = _lint(subject, image, env, linter) if linter else None
    spec = pod(subject, [main], init=init, restartPolicy="Never")
    if linter:
        spec["volumes"].append({"name": "pending", "emptyDir": {"sizeLimit": "16Mi"}})
    return _job(subject, name, "migrate", image, spec, retries=2, deadline=900)


def migration_hash(image: str, database_oid: int) -> str:
    """Names one migration: of a version, on one incarnation of the database."""
    return digest("migrate", image, database_oid)


def one_off(subject: Subject, job: JobSpec, image: str, run: str) -> Manifest:
    """A job of spec.jobs, with the environment of the service. ``run`` is its `one_off_hash`, which ends its name."""
    env = environment(subject, image)
    spec = pod(subject, [container(subject, "job", image, list(job.args), env)], restartPolicy="Never")
    name = f"{f'{subject.name}-job-{job.name}'[: 62 - len(run)]}-{run}"
    return _job(subject, name, "job", image, spec, retries=4, deadline=3600)


def present(subject: Subject, live: Manifest) -> bool:
    """Whether a Job is of the wanted version; what spec.jobs runs may be of an image, so of a version, of its own."""
    wanted = ((job, one_off_image(subject, job)) for job in subject.spec.jobs)
    hashes = {one_off_hash(job, image) for job, image in wanted if image}
    if hashes & {*live["metadata"]["name"].split("-")}:
        return True
    return live["metadata"]["labels"].get("app.kubernetes.io/version") in (
        version_of(subject.image or ""),
        None,
    )


def one_off_hash(job: JobSpec, image: str, database_oid: int = 0) -> str:
    """Run once per arguments and image, on each incarnation of the database: one that was made anew has lost what the
    job had put there. 0 where there is no database, and in what operators wrote down before they told one from another.
    """
    what = digest(job.name, job.args, image)
    return f"{what}-{database_oid}" if database_oid else what


def one_off_image(subject: Subject, job: JobSpec) -> str | None:
    """The image a job runs: its own name in the platform's repository, or the service's."""
    return subject.platform.images.reference(job.image) if job.image else subject.image


def _lint(subject: Subject, image: str, env: list[Manifest], linter: str) -> list[Manifest]:
    """Two steps before the migration: write the SQL that is still to run, then judge it."""
    print_sql = container(
        subject,
        "print-sql",
        image,
        ["-c", 'exec python -m suuupra migrate "$SUUUPRA_SERVICE" --sql > /pending/migration.sql'],
        env,
        command=["/bin/sh"],
    )
    print_sql["volumeMounts"] = [*print_sql["volumeMounts"], _PENDING]
    lint = container(subject, "lint", linter, ["lint", "/pending/migration.sql"], [])
    lint["volumeMounts"] = [*lint["volumeMounts"], _PENDING | {"readOnly": True}]
    return [print_sql, lint]


def _job(
    subject: Subject, name: str, component: str, image: str, spec: Manifest, *, retries: int, deadline: int
) -> Manifest:
    """``deadline`` in seconds bounds all tries together."""
    version = version_of(image)
    refused = {
        "action": "FailJob",
        "onExitCodes": {"containerName": "lint", "operator": "In", "values": [LINT_REFUSED]},
    }
    policy = {"podFailurePolicy": {"rules": [refused]}} if "initContainers" in spec else {}
    return subject.manifest("batch/v1", "Job", name, component, version) | {
        "spec": {
            "backoffLimit": retries,
            "activeDeadlineSeconds": deadline,
            **policy,
            "template": {"metadata": {"labels": subject.labels(component, version)}, "spec": spec},
        }
    }
