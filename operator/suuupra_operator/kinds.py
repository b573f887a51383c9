"""The kinds of object the operator handles and where the API server keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind; ``plural`` is its path segment."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """URL path of the collection, an object, or an object's subresource."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        leaf = f"/{name}" if name else ""
        return f"{root}{scope}/{self.plural}{leaf}{f'/{subresource}' if subresource else ''}"


SERVICE = Kind("suuupra.io/v1alpha1", "SuuupraService", "suuupraservices")
PLATFORM = Kind("suuupra.io/v1alpha1", "SuuupraPlatform", "suuupraplatforms", namespaced=False)
RAIL = Kind("suuupra.io/v1alpha1", "PaymentRail", "paymentrails")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
EVENT = Kind("v1", "Event", "events")
POD = Kind("v1", "Pod", "pods")

DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
JOB = Kind("batch/v1", "Job", "jobs")
SECRET = Kind("v1", "Secret", "secrets")
#: What is made for a resource, in the order of making.
CHILDREN = (
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    SECRET,
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("v1", "Service", "services"),
    JOB,
    DEPLOYMENT,
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
)
BY_NAME = {kind.name: kind for kind in (*CHILDREN, SERVICE, PLATFORM, RAIL, LEASE, EVENT, POD)}


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """The kind a manifest says it is."""
    return BY_NAME[manifest["kind"]]
