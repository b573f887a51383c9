"""Bad resources: refused or reported with the field, the rule and the fix; nothing else changes and nothing restarts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from suuupra_operator.schema import DURATION, QUANTITY, TOPIC

from .kube import WORKLOADS, Kube, eventually

pytestmark = pytest.mark.cluster

NAME = "refused"

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"replicas": {"min": 5, "max": 2}}, ["spec.replicas", "max must be at least min"]),
    ({"replicas": {"min": -1}}, ["spec.replicas.min", "should be greater than or equal to 0"]),
    ({"replicas": {"min": "two"}}, ["spec.replicas.min", "must be of type integer"]),
    (
        {"events": {"publishes": [{"topic": "Not A Topic"}]}},
        ["spec.events.publishes[0].topic", f"should match '{TOPIC}'"],
    ),
    (
        {"events": {"publishes": [{"topic": "a.made", "partitions": 0}]}},
        ["spec.events.publishes[0].partitions", "should be greater than or equal to 1"],
    ),
    (
        {"events": {"publishes": [{"topic": "a.made", "retention": "soon"}]}},
        ["spec.events.publishes[0].retention", f"should match '{DURATION}'"],
    ),
    ({"routes": [{"path": "no-slash", "auth": "none"}]}, ["spec.routes[0].path", "should match '^/"]),
    (
        {"routes": [{"path": "/x", "auth": "maybe"}]},
        ["spec.routes[0].auth", '"maybe"', 'supported values: "none", "optional", "user"'],
    ),
    (
        {"routes": [{"path": "/x", "auth": "none", "limits": [{"rate": "fast"}]}]},
        ["spec.routes[0].limits[0].rate", "at least 1 request per second", "write 20/s"],
    ),
    (
        {"database": {"reclaim": "Shred"}},
        ["spec.database.reclaim", '"Shred"', "supported values: ", '"Retain"', '"Delete"', '"Snapshot"'],
    ),
    (
        {"env": {"SUUUPRA_DATABASE_URL": "postgresql://elsewhere"}},
        ["env: a key", "does not start with SUUUPRA_"],
    ),
    (
        {"resources": {"requests": {"memory": "lots"}}},
        ["spec.resources.requests.memory", f"should match '{QUANTITY}'"],
    ),
    ({"databse": {}}, ['unknown field "spec.databse"']),
]
"""What is wrong, and where the answer names the field, the rule, and with it what to write instead."""


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


CLAIMS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "database": (
        {"database": {"name": "content"}},
        "DatabaseReady",
        ["database content belongs to resource suuupra/content", "with another database.name"],
    ),
    "topic": (
        {"events": {"publishes": [{"topic": "course.published", "partitions": 9, "retention": "1h"}]}},
        "TopicsReady",
        [
            "events.publishes[0].topic: topic course.published belongs to resource suuupra/content",
            "publish under another name",
        ],
    ),
    "route": (
        {"routes": [{"path": "/v1/courses", "methods": ["GET", "DELETE"], "auth": "none"}]},
        "RoutesReady",
        [
            "routes[0]: GET /v1/courses (prefix) belongs to resource suuupra/content",
            "choose another path, or other methods",
        ],
    ),
}


@pytest.fixture(params=CLAIMS)
def claimed(kube: Kube, request: pytest.FixtureRequest) -> Iterator[tuple[str, list[str]]]:
    """A younger resource that claims one thing content has; the condition and the words that must tell of it."""
    claim, condition, said = CLAIMS[request.param]
    before = belongings(kube)
    kube.apply(manifest("rival", {"service": "content", "replicas": {"min": 0}} | claim))
    yield condition, said
    kube.delete("suuupraservice", "rival", "--timeout=60s")
    assert belongings(kube) == before, (
        "what the younger one asked for, or its going, has changed the other one's"
    )


def belongings(kube: Kube) -> tuple[Any, ...]:
    """What content has: its routes, its database as a thing of PostgreSQL, its topic's partitions and settings."""
    routes = kube.get("suuupraservice", "content")["status"]["routes"]
    database = kube.psql("postgres", "select oid, datdba from pg_database where datname = 'content'")
    return routes, database, kube.topic("course.published")


def test_o4_of_two_resources_that_claim_the_same_the_one_that_has_it_keeps_it_and_the_other_says_so(
    kube: Kube, claimed: tuple[str, list[str]]
) -> None:
    before = pods(kube)
    kind, said = claimed

    def refused(kind: str) -> bool:
        found = kube.condition("rival", kind)
        return found.get("status") == "False" and all(part in found["message"] for part in said)

    eventually(lambda: refused(kind), 30, f"rival's {kind} says {said}: {kube.condition('rival', kind)}")
    eventually(lambda: kube.condition("rival").get("status") == "False", 30, "rival is not Ready")
    assert kube.condition("content")["status"] == "True"
    assert pods(kube) == before
