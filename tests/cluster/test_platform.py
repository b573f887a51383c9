"""The platform as `make up` leaves it: everything Ready, every pod from a resource, what is deleted comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from .kube import INFRA, SYSTEM, WORKLOADS, Kube, eventually

pytestmark = pytest.mark.cluster

BY_WATCH_SECONDS = 5.0
BY_BULK_READ_SECONDS = 30.0
READY_SECONDS = 120.0
RESOURCES = {"SuuupraPlatform", "SuuupraService", "PaymentRail"}
OWNERS = "replicasets,deployments,statefulsets,jobs,suuupraservices,paymentrails,suuupraplatforms"
"""Whatever a pod may come from, directly or not."""
SERVERS = {"kafka", "mail-sink", "metrics-server", "objects", "openbao", "postgres", "prometheus", "valkey"}


def corrected(kube: Kube, kind: str) -> float:
    """The operator's count of what it put right of one kind."""
    pod = kube.items("pods", "-l", "app.kubernetes.io/name=suuupra-operator", namespace=SYSTEM)[0]
    path = f"/api/v1/namespaces/{SYSTEM}/pods/{pod['metadata']['name']}:9000/proxy/metrics"
    lines = kube.run("get", "--raw", path).stdout.splitlines()
    counter = f'drift_corrected_total{{kind="{kind}"}}'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(counter))


@contextmanager
def counted(kube: Kube, kind: str) -> Iterator[None]:
    """What is broken by hand inside must be counted by the operator, as what it is."""
    before = corrected(kube, kind)
    yield
    eventually(lambda: corrected(kube, kind) > before, 10, f"drift_corrected_total of {kind} grew")


def unready(kube: Kube) -> dict[str, Any]:
    """Resources of ours, of whatever kind, that do not say Ready of what they are now: with what they say."""
    listed = kube.items("suuupra", "--all-namespaces")
    assert {one["kind"] for one in listed} == RESOURCES
    said = {f"{one['kind']}/{one['metadata']['name']}": (one, _ready(one)) for one in listed}
    return {
        name: ready
        for name, (one, ready) in said.items()
        if ready.get("status") != "True"
        or one["status"].get("observedGeneration") != one["metadata"]["generation"]
    }


def _ready(resource: dict[str, Any]) -> dict[str, Any]:
    conditions = resource.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == "Ready"), {})


def test_every_resource_is_ready(kube: Kube) -> None:
    """As `kubectl get suuupra -A` lists them: services, the rail's switch and banks, the rail, the platform."""
    eventually(lambda: not unready(kube), READY_SECONDS, "every resource of ours is Ready")


def makers(kube: Kube, namespace: str) -> dict[str, str]:
    """What each pod of a namespace comes from, as `Kind/name`: the first resource of ours, or else the last owner."""
    owners = {one["metadata"]["uid"]: one for one in kube.items(OWNERS, namespace=namespace)}
    pods = [
        one for one in kube.items("pods", namespace=namespace) if "deletionTimestamp" not in one["metadata"]
    ]
    return {pod["metadata"]["name"]: _maker(pod, owners) for pod in pods}


def _maker(of: dict[str, Any], owners: Mapping[str, dict[str, Any]]) -> str:
    """Up the chain of owners. One that is not there any more, but still named, ends it by what is named."""
    references = of["metadata"].get("ownerReferences", [])
    if of["kind"] in RESOURCES or not references:
        return f"{of['kind']}/{of['metadata']['name']}"
    above = owners.get(references[0]["uid"])
    return _maker(above, owners) if above else f"lost {references[0]['kind']}/{references[0]['name']}"


def test_every_pod_comes_from_a_resource_but_those_of_the_backing_servers_and_the_operator(
    kube: Kube,
) -> None:
    strangers = {
        pod: maker
        for pod, maker in makers(kube, WORKLOADS).items()
        if maker.partition("/")[0] not in RESOURCES
    }
    assert strangers == {}
    assert {maker.partition("/")[2] for maker in makers(kube, INFRA).values()} == SERVERS
    assert set(makers(kube, SYSTEM).values()) == {"Deployment/suuupra-operator"}


@pytest.mark.parametrize("kind", ["deployment", "service"])
def test_o1_a_child_deleted_by_hand_is_back_within_seconds(kube: Kube, kind: str) -> None:
    before = kube.get(kind, "content")["metadata"]["uid"]

    def again() -> Any:
        found = kube.get(kind, "content")
        return found if found and found["metadata"]["uid"] != before else None

    with counted(kube, kind.title()):
        kube.delete(kind, "content", "--wait=false")
        began = time.monotonic()
        eventually(again, BY_WATCH_SECONDS, f"{kind} content is there again")
        print(f"{kind} was back after {time.monotonic() - began:.2f} s")
    kube.await_ready("content", within=120)


def test_o1_an_edit_by_hand_is_put_right_within_seconds(kube: Kube) -> None:
    with counted(kube, "Service"):
        kube.run("patch", "service", "content", "-n", WORKLOADS, "--type=json",
                 "-p", '[{"op":"replace","path":"/spec/ports/0/targetPort","value":1}]')  # fmt: skip
        eventually(
            lambda: kube.get("service", "content")["spec"]["ports"][0]["targetPort"] == "http",
            BY_WATCH_SECONDS,
            "the Service leads to the port named http again",
        )


def test_o1_a_topics_retention_changed_by_hand_is_put_right(kube: Kube) -> None:
    before, times = kube.topic("course.published"), corrected(kube, "KafkaTopic")
    alter = ("kafka", "configs", "--alter", "--entity-type", "topics", "--entity-name", "course.published")
    kube.run("exec", "-n", INFRA, "kafka-0", "--", *alter, "--add-config", "retention.ms=60000")
    # The operator tells when it has written. Kafka is asked once, after that: each question starts a Java program.
    eventually(lambda: corrected(kube, "KafkaTopic") > times, BY_BULK_READ_SECONDS, "the topic was put right")
    assert kube.topic("course.published") == before


def test_o1_a_database_login_taken_away_by_hand_is_given_back(kube: Kube) -> None:
    login = kube.psql(
        "postgres", "select rolname from pg_roles where rolname ~ '^content_app_' and rolcanlogin"
    )[0]
    question = f"select rolcanlogin from pg_roles where rolname = '{login}'"
    with counted(kube, "PostgresRole"):
        kube.psql("postgres", f"alter role {login} nologin")
        eventually(
            lambda: kube.psql("postgres", question) == ["t"],
            BY_BULK_READ_SECONDS,
            f"{login} can log in again",
        )


def test_the_catalogue_answers_through_the_gateway(platform_url: str) -> None:
    page = httpx.get(platform_url + "/")
    assert page.status_code == 200
    assert "The Python Tutorial" in page.text


def test_the_management_api_is_closed_to_strangers(platform_url: str) -> None:
    answer = httpx.post(platform_url + "/v1/authoring/courses", json={"title": "Mine"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_internal_routes_are_not_public(platform_url: str) -> None:
    visitor = "018f0000-0000-7000-8000-000000000000"
    assert httpx.get(f"{platform_url}/internal/v1/visitors/{visitor}/progress").status_code == 404
