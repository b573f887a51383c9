"""Deployments: NAME serves HTTP; NAME-worker relays and consumes events, made only where events are declared."""

from __future__ import annotations

from typing import Any

from suuupra_operator.desired.environment import environment
from suuupra_operator.desired.pod import container, pod
from suuupra_operator.desired.subject import HTTP_PORT, OPS_PORT, Manifest, Subject, version_of

SECRETS = "suuupra.io/secrets"
"""Annotation of the pod template: changes when a Secret that the pods read at their start changes, so that they roll."""


def deployments(subject: Subject, image: str, secrets: str) -> list[Manifest]:
    """All Deployments of the resource at ``image``; ``secrets`` is a digest of the Secrets they read."""
    found = [_deployment(subject, "serve", subject.name, image, secrets)]
    if subject.spec.works:
        found.append(_deployment(subject, "work", f"{subject.name}-worker", image, secrets))
    return found


def _deployment(subject: Subject, component: str, name: str, image: str, secrets: str) -> Manifest:
    version = version_of(image)
    template_labels = subject.labels(component, version) | _call_labels(subject)
    spec: Manifest = {
        "selector": {"matchLabels": subject.selector(component)},
        "revisionHistoryLimit": 3,
        "progressDeadlineSeconds": 300,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": template_labels, "annotations": {SECRETS: secrets}},
            "spec": pod(
                subject,
                [_container(subject, component, image)],
                topologySpreadConstraints=_spread(subject, component),
            ),
        },
    }
    manifest = subject.manifest("apps/v1", "Deployment", name, component, version)
    return manifest | {"spec": _replicas(subject, component) | spec}


def _replicas(subject: Subject, component: str) -> dict[str, int]:
    """The number of pods; absent where an autoscaler owns it."""
    if component == "work":
        return {"replicas": subject.spec.workers.replicas if subject.spec.replicas.min > 0 else 0}
    return {} if subject.autoscaled else {"replicas": subject.spec.replicas.min}


def _container(subject: Subject, component: str, image: str) -> Manifest:
    ports = [{"name": "ops", "containerPort": OPS_PORT, "protocol": "TCP"}]
    if component == "serve":
        ports.insert(0, {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"})
    env = environment(subject, image)
    return container(subject, component, image, [component, subject.service], env, ports=ports, **_probes())


def _probes() -> dict[str, Any]:
    """Startup waits three minutes; readiness follows the backing servers; liveness only asks the process itself.

    A pod that crashes is seen at once. The wait is for a machine that starts everything at the same time: fifty pods
    on two cores need more than a minute, and killing those that are nearly there makes it last twice as long.
    """
    live = {"httpGet": {"path": "/livez", "port": "ops"}, "timeoutSeconds": 2}
    ready = {"httpGet": {"path": "/readyz", "port": "ops"}, "timeoutSeconds": 2}
    return {
        "startupProbe": live | {"periodSeconds": 1, "failureThreshold": 180},
        "readinessProbe": ready | {"periodSeconds": 2, "failureThreshold": 2},
        "livenessProbe": live | {"periodSeconds": 10, "failureThreshold": 3},
    }


def _call_labels(subject: Subject) -> dict[str, str]:
    """What the called resource's network policy recognises the caller by."""
    return {f"suuupra.io/calls-{called}": "true" for called in sorted(subject.spec.calls)}


def _spread(subject: Subject, component: str) -> list[Manifest]:
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": subject.selector(component)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
