"""The pod that serving, working, migrating and one-off containers have in common: restricted, read-only, on a leash."""

from __future__ import annotations

from typing import Any

from suuupra_operator.desired import access
from suuupra_operator.desired.subject import Manifest, Subject

USER = 65532
GRACE_SECONDS = 45
"""The kit drains for at most 35 s after SIGTERM; Kubernetes waits longer than that before it kills."""

TOKEN = "openbao-token"  # noqa: S105 - the name of a volume


def pod(
    subject: Subject, containers: list[Manifest], *, init: list[Manifest] | None = None, **more: Any
) -> Manifest:
    """Pod spec that passes the `restricted` Pod Security Standard."""
    spec: Manifest = {
        "serviceAccountName": subject.name,
        "automountServiceAccountToken": subject.spec.automount_service_account_token,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": containers,
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}, *_token(subject, containers)],
        **more,
    }
    return spec | ({"initContainers": init} if init else {})


def container(
    subject: Subject, name: str, image: str, args: list[str], env: list[Manifest], **more: Any
) -> Manifest:
    """Container with the resource's CPU and memory, a writable /tmp and nothing else."""
    resources = subject.spec.resources or subject.platform.defaults.resources
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": subject.platform.images.pull_policy,
        "args": args,
        "env": env,
        "resources": {
            "requests": {"cpu": str(resources.requests.cpu), "memory": str(resources.requests.memory)},
            "limits": {"memory": str(resources.limits.memory)},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(subject, name),
        **more,
    }


def _mounts(subject: Subject, name: str) -> list[Manifest]:
    found: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - the one writable place, an emptyDir
    if _reads_secrets(subject, name):
        found.append({"name": TOKEN, "mountPath": access.TOKEN_FOLDER, "readOnly": True})
    return found


def _reads_secrets(subject: Subject, name: str) -> bool:
    """Migrations need none, and what judges them runs another image."""
    wanted = subject.spec.secrets is not None and subject.platform.secret_store is not None
    return wanted and name in ("serve", "work", "job")


def _token(subject: Subject, containers: list[Manifest]) -> list[Manifest]:
    """The token that the pod logs in to the secret store with, which opens nothing else. The kubelet renews it."""
    if not any(_reads_secrets(subject, container["name"]) for container in containers):
        return []
    token = {"path": "token", "audience": access.AUDIENCE, "expirationSeconds": 3600}
    return [{"name": TOKEN, "projected": {"sources": [{"serviceAccountToken": token}]}}]
