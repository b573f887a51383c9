"""The resource that manifests are rendered for, and the names, labels and references they share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec

Manifest = dict[str, Any]

GROUP_VERSION = "suuupra.io/v1alpha1"
MANAGER = "suuupra-operator"
HTTP_PORT = 8000
OPS_PORT = 9000
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
GATEWAY = "api-gateway"


@dataclass(frozen=True)
class Subject:
    """One SuuupraService on one platform."""

    namespace: str
    name: str
    uid: str
    spec: SuuupraServiceSpec
    platform: SuuupraPlatformSpec
    annotations: Mapping[str, str] = field(default_factory=dict)
    operated: bool = False
    """Whether the operator asks its internal API, as it does those of a rail."""

    @property
    def service(self) -> str:
        """Name of the code, with '-'."""
        return self.spec.service or self.name

    @property
    def image(self) -> str | None:
        """Image of the service's pods; None while the platform does not say which version to run."""
        return self.spec.image or self.platform.images.reference(self.service)

    @property
    def autoscaled(self) -> bool:
        """Whether an autoscaler decides how many pods serve."""
        return self.platform.autoscaling and self.spec.replicas.autoscaled

    @property
    def database(self) -> str | None:
        """Name of the PostgreSQL database, when one is declared."""
        if self.spec.database is None:
            return None
        return self.spec.database.name or self.name.replace("-", "_")

    def selector(self, component: str) -> dict[str, str]:
        """The labels that tell this resource's pods of one component from all others. Immutable."""
        return {INSTANCE: self.name, COMPONENT: component}

    def labels(self, component: str, version: str = "") -> dict[str, str]:
        """Labels of a child (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/)."""
        labels = {
            "app.kubernetes.io/name": self.service,
            INSTANCE: self.name,
            COMPONENT: component,
            "app.kubernetes.io/part-of": "suuupra",
            "app.kubernetes.io/managed-by": MANAGER,
        }
        return labels | ({"app.kubernetes.io/version": version} if version else {})

    def manifest(self, api_version: str, kind: str, name: str, component: str, version: str = "") -> Manifest:
        """Head of a child: identity, labels, owner."""
        return {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": self.labels(component, version),
                "ownerReferences": [self.owner()],
            },
        }

    def owner(self) -> Manifest:
        """Controller reference, so that children go with the resource."""
        return {
            "apiVersion": GROUP_VERSION,
            "kind": "SuuupraService",
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


def version_of(image: str) -> str:
    """Version that an image reference stands for: its tag, or the first 12 digits of its digest."""
    name, _, digest = image.partition("@sha256:")
    if digest:
        return digest[:12]
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    return tag or "latest"


def digest(*parts: Any) -> str:
    """Eight hex digits that change when any part changes."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
