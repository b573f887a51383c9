"""What `operator_ready` makes fifty of: the service idle, in an image that the node of the cluster is given."""

from __future__ import annotations

import os
from typing import Any, Final

import yaml
from bringup import clusters, images
from bringup.job import Job
from bringup.knobs import load

from .cluster import NoCluster, kubeconfig
from .report import ROOT, say

WORKLOAD: Final[dict[str, Any]] = {
    "service": "idle",
    "resources": {"requests": {"cpu": "1m", "memory": "64Mi"}},
}
"""Needs no server, so that Kubernetes and the operator are all that is measured; requests so small that fifty pods fit
beside the platform."""


def workload() -> dict[str, Any]:
    """WORKLOAD with its image, which is in the node when this returns."""
    knobs = load(ROOT, os.environ)
    name = yaml.safe_load(kubeconfig().read_text())["current-context"].removeprefix("kind-")
    cluster = next((one for one in clusters.every(knobs) if one.name == name), None)
    if cluster is None:
        raise NoCluster(
            f"{name}, the cluster of {kubeconfig()}, has no node here that an image can be given to"
        )
    image, job = images.idle(knobs), Job("bench-workload", say)
    images.build_all(job, [images.base(knobs), image])
    cluster.load(job, [image.reference])
    return WORKLOAD | {"image": image.reference}
