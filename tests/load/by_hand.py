"""What the operator makes for a resource, made without it: the peer of its speed.

The same manifests through the same client, in the order the operator must keep to, and as many writes of the same
size to the resource itself, for which a ConfigMap stands in. What is left out is what makes an operator of it: looking
at what is there, deciding, remembering.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from suuupra_operator.cluster import Object
from suuupra_operator.desired.deployment import deployments
from suuupra_operator.desired.subject import Subject
from suuupra_operator.kinds import PLATFORM, kind_of
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.primaries import platform_spec_of
from suuupra_operator.round import static_children

from .cluster import LABEL, NAMESPACE, Arrivals, Client

MANAGED_BY: Final = "app.kubernetes.io/managed-by"


class NoImage(Exception):
    """The platform pins no image of the service to run."""


async def platform_of(client: Client) -> SuuupraPlatformSpec:
    items, _ = await client.items(PLATFORM)
    return platform_spec_of(items[0])


@dataclass(frozen=True)
class Hand:
    """Makes children by hand; `status` is as large as what the operator writes."""

    client: Client
    platform: SuuupraPlatformSpec
    spec: Object
    status: Object

    async def everything(self, name: str, available: Arrivals) -> None:
        """All that the operator writes for a resource, until its Deployment is available and that is written down."""
        stand_in = await self.client.put(self._stand_in(name))
        path = kind_of(stand_in).path(NAMESPACE, name)
        await self.client.merge(path, {"metadata": {"annotations": {"bench/finalizer": "as large as one"}}})
        children, made = self._manifests(name, stand_in["metadata"]["uid"])
        await asyncio.gather(*(self.client.put(child) for child in children))
        await asyncio.gather(*(self.client.put(deployment) for deployment in made))
        await self.client.merge(path, self._note("progressing"))
        await available.of(name)
        await self.client.merge(path, self._note("ready"))

    async def deployment(self, name: str, available: Arrivals) -> None:
        """A Deployment and nothing else, until its pods are available."""
        _, made = self._manifests(name, "")
        for deployment in made:
            del deployment["spec"]["template"]["spec"]["serviceAccountName"]
            await self.client.put(deployment)
        await available.of(name)

    def _manifests(self, name: str, owner: str) -> tuple[list[Object], list[Object]]:
        subject = Subject(NAMESPACE, name, owner, SuuupraServiceSpec.model_validate(self.spec), self.platform)
        if subject.image is None:
            raise NoImage(f"the platform pins no image of {subject.service}")
        made = deployments(subject, subject.image, "")
        for deployment in made:
            deployment["metadata"]["labels"][LABEL] = "bare"
        return _disowned(static_children(subject), owner), _disowned(made, owner)

    def _stand_in(self, name: str) -> Object:
        meta = {"name": name, "namespace": NAMESPACE, "labels": {LABEL: "bare"}}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta,
            "data": {"spec": json.dumps(self.spec)},
        }

    def _note(self, phase: str) -> Object:
        return {"data": {"status": json.dumps(self.status), "phase": phase}}


def _disowned(manifests: Iterable[Object], owner: str) -> list[Object]:
    """Without what would make the operator look at them: its label, and the owner that is no SuuupraService."""
    found = []
    for manifest in manifests:
        meta = manifest["metadata"]
        meta["labels"][MANAGED_BY] = "bench"
        (reference,) = meta.pop("ownerReferences")
        if owner:
            meta["ownerReferences"] = [reference | {"apiVersion": "v1", "kind": "ConfigMap"}]
        found.append(manifest)
    return found
