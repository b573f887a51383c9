"""HorizontalPodAutoscaler, where max is above min, and PodDisruptionBudget."""

from __future__ import annotations

from suuupra_operator.desired.subject import Manifest, Subject


def autoscaler(subject: Subject) -> Manifest | None:
    """Adds serving pods by CPU; None where the number of pods is fixed."""
    replicas = subject.spec.replicas
    if not subject.autoscaled:
        return None
    target = {"type": "Utilization", "averageUtilization": replicas.target_cpu}
    return subject.manifest("autoscaling/v2", "HorizontalPodAutoscaler", subject.name, "serve") | {
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": subject.name},
            "minReplicas": replicas.min,
            "maxReplicas": replicas.max,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 120}},
        }
    }


def disruption_budget(subject: Subject) -> Manifest:
    """One serving pod at a time may be evicted; one that is not ready always, so that no drain is stuck behind it."""
    return subject.manifest("policy/v1", "PodDisruptionBudget", subject.name, "serve") | {
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": subject.selector("serve")},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        }
    }
