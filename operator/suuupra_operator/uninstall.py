"""Before the operator is uninstalled: stop it, then let go of every resource. What it made runs on."""

from __future__ import annotations

import asyncio
import logging

from suuupra_operator.cluster import Cluster
from suuupra_operator.errors import ApiError
from suuupra_operator.kinds import PLATFORM, RAIL, SERVICE
from suuupra_operator.leadership import Leadership
from suuupra_operator.settings import Settings
from suuupra_operator.writer import FINALIZER

log = logging.getLogger(__name__)

DEPLOYMENT = "suuupra-operator"


async def uninstall(settings: Settings) -> int:
    """Returns how many resources were let go. The Lease is held meanwhile, so that no operator takes them back."""
    cluster, unfenced = Cluster.of_environment(), Cluster.of_environment()
    await cluster.open()
    await unfenced.open()
    leadership = Leadership(unfenced, settings.namespace, settings.lease)
    cluster.fence(leadership.check)
    try:
        await _stop(unfenced, settings.namespace)
        holding = asyncio.create_task(leadership.run())
        await leadership.acquired.wait()
        released = await _release_all(cluster)
        holding.cancel()
        await leadership.release()
        return released
    finally:
        await cluster.close()
        await unfenced.close()


async def _stop(cluster: Cluster, namespace: str) -> None:
    """No pods any more. Somebody may have deleted the Deployment already."""
    scale = f"/apis/apps/v1/namespaces/{namespace}/deployments/{DEPLOYMENT}/scale"
    try:
        await cluster.merge(scale, {"spec": {"replicas": 0}})
    except ApiError as error:
        if not error.missing:
            raise


async def _release_all(cluster: Cluster) -> int:
    released = 0
    for kind in (RAIL, SERVICE, PLATFORM):
        items, _ = await cluster.items(kind)
        for item in items:
            meta = item["metadata"]
            held = meta.get("finalizers", [])
            if FINALIZER not in held:
                continue
            left = {"finalizers": [name for name in held if name != FINALIZER]}
            try:
                patch = {"metadata": left | {"resourceVersion": meta["resourceVersion"]}}
                await cluster.merge(kind.path(meta.get("namespace"), meta["name"]), patch)
            except ApiError as error:
                if not error.missing:
                    raise
            released += 1
            log.info("let go of %s %s", kind.name, meta["name"])
    return released
