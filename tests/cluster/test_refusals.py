"""Bad resources: refused or reported with the field, the rule and the fix; nothing else changes and nothing restarts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .kube import WORKLOADS, Kube, eventually

pytestmark = pytest.mark.cluster

NAME = "refused"

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"replicas": {"min": 5, "max": 2}}, ["spec.replicas", "max must be at least min"]),
    ({"replicas": {"min": -1}}, ["spec.replicas.min"]),
    ({"replicas": {"min": "two"}}, ["spec.replicas.min", "integer"]),
    ({"events": {"publishes": [{"topic": "Not A Topic"}]}}, ["spec.events.publishes[0].topic"]),
    ({"events": {"publishes": [{"topic": "a.made", "partitions": 0}]}}, ["partitions"]),
    ({"events": {"publishes": [{"topic": "a.made", "retention": "soon"}]}}, ["retention"]),
    ({"routes": [{"path": "no-slash", "auth": "none"}]}, ["spec.routes[0]", "path"]),
    ({"routes": [{"path": "/x", "auth": "maybe"}]}, ["spec.routes[0].auth"]),
    ({"routes": [{"path": "/x", "auth": "none", "limit": {"rate": "fast"}}]}, ["spec.routes[0].limit.rate"]),
    ({"database": {"reclaim": "Shred"}}, ["spec.database.reclaim", "Retain"]),
    ({"env": {"SUUUPRA_DATABASE_URL": "postgresql://elsewhere"}}, ["env", "SUUUPRA_"]),
    ({"resources": {"requests": {"memory": "lots"}}}, ["spec.resources.requests.memory"]),
    ({"databse": {}}, ["databse"]),
]


def manifest(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": WORKLOADS}
    return {"apiVersion": "suuupra.io/v1alpha1", "kind": "SuuupraService", "metadata": metadata, "spec": spec}


def pods(kube: Kube) -> dict[str, int]:
    """Restarts by pod of the serving platform."""
    return {
        pod["metadata"]["name"]: sum(
            one["restartCount"] for one in pod["status"].get("containerStatuses", [])
        )
        for pod in kube.items("pods", "-l", "app.kubernetes.io/component in (serve,work)")
    }


@pytest.mark.parametrize(("spec", "said"), WRONG, ids=[str(spec)[:60] for spec, _ in WRONG])
def test_o2_a_wrong_field_is_refused_by_name(kube: Kube, spec: dict[str, Any], said: list[str]) -> None:
    before = pods(kube)
    answer = kube.refusal(manifest(NAME, spec))
    assert [part for part in said if part not in answer] == [], answer
    assert kube.get("suuupraservice", NAME) is None
    assert pods(kube) == before


@pytest.fixture
def rival(kube: Kube) -> Iterator[dict[str, Any]]:
    """A younger resource that claims what content has."""
    claims = manifest("rival", {
        "service": "content",
        "replicas": {"min": 0},
        "database": {"name": "content"},
        "events": {"publishes": [{"topic": "course.published"}]},
        "routes": [{"path": "/v1/courses", "auth": "none"}],
    })  # fmt: skip
    kube.apply(claims)
    yield claims
    kube.delete("suuupraservice", "rival", "--timeout=60s")


@pytest.mark.usefixtures("rival")
def test_o4_of_two_resources_that_claim_the_same_the_older_wins_and_the_other_says_so(kube: Kube) -> None:
    before = pods(kube)

    def refused(kind: str) -> bool:
        found = kube.condition("rival", kind)
        return found.get("status") == "False" and "content" in found.get("message", "")

    for kind in ("DatabaseReady", "Ready"):
        eventually(lambda kind=kind: refused(kind), 30, f"rival's {kind} names content")  # type: ignore[misc]
    assert kube.condition("content")["status"] == "True"
    assert pods(kube) == before
