"""The platform as `make up` leaves it: everything Ready, every pod from a resource, what is deleted comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .kube import INFRA, WORKLOADS, Kube, eventually, resources

pytestmark = pytest.mark.cluster

BY_WATCH_SECONDS = 5.0
BY_BULK_READ_SECONDS = 30.0


def corrected(kube: Kube, kind: str = "") -> float:
    """The operator's count of what it put right, of one kind or summed over all."""
    pod = kube.items("pods", "-l", "app.kubernetes.io/name=suuupra-operator", namespace="suuupra-system")[0]
    path = f"/api/v1/namespaces/suuupra-system/pods/{pod['metadata']['name']}:9000/proxy/metrics"
    lines = kube.run("get", "--raw", path).stdout.splitlines()
    counter = f'drift_corrected_total{{kind="{kind}'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(counter))


@pytest.fixture
def counted(kube: Kube) -> Iterator[None]:
    """What the test breaks by hand must be counted by the operator."""
    before = corrected(kube)
    yield
    eventually(lambda: corrected(kube) > before, 10, "drift_corrected_total grew")


def test_every_resource_is_ready(kube: Kube) -> None:
    for name in resources():
        kube.await_ready(name, within=120)


def test_every_pod_of_the_platform_comes_from_a_resource(kube: Kube) -> None:
    pods = kube.items("pods")
    strangers = [
        p["metadata"]["name"] for p in pods if "app.kubernetes.io/instance" not in p["metadata"]["labels"]
    ]
    managers = {p["metadata"]["labels"].get("app.kubernetes.io/managed-by") for p in pods}
    assert (strangers, managers) == ([], {"suuupra-operator"})


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("kind", ["deployment", "service"])
def test_o1_a_child_deleted_by_hand_is_back_within_seconds(kube: Kube, kind: str) -> None:
    before = kube.get(kind, "content")["metadata"]["uid"]
    kube.delete(kind, "content", "--wait=false")
    began = time.monotonic()

    def again() -> Any:
        found = kube.get(kind, "content")
        return found if found and found["metadata"]["uid"] != before else None

    eventually(again, BY_WATCH_SECONDS, f"{kind} content is there again")
    print(f"{kind} was back after {time.monotonic() - began:.2f} s")
    kube.await_ready("content", within=120)


@pytest.mark.usefixtures("counted")
def test_o1_an_edit_by_hand_is_put_right_within_seconds(kube: Kube) -> None:
    kube.run("patch", "service", "content", "-n", WORKLOADS, "--type=json",
             "-p", '[{"op":"replace","path":"/spec/ports/0/targetPort","value":1}]')  # fmt: skip
    eventually(
        lambda: kube.get("service", "content")["spec"]["ports"][0]["targetPort"] == "http",
        BY_WATCH_SECONDS,
        "the Service leads to the port named http again",
    )


@pytest.mark.usefixtures("counted")
def test_o1_a_topics_retention_changed_by_hand_is_put_right(kube: Kube) -> None:
    before, times = kube.retention("course.published"), corrected(kube, "KafkaTopic")
    alter = ("kafka", "configs", "--alter", "--entity-type", "topics", "--entity-name", "course.published")
    kube.run("exec", "-n", INFRA, "kafka-0", "--", *alter, "--add-config", "retention.ms=60000")
    # The operator tells when it has written. Kafka is asked once, after that: each question starts a Java program.
    eventually(lambda: corrected(kube, "KafkaTopic") > times, BY_BULK_READ_SECONDS, "the topic was put right")
    assert kube.retention("course.published") == before


@pytest.mark.usefixtures("counted")
def test_o1_a_database_login_taken_away_by_hand_is_given_back(kube: Kube) -> None:
    login = kube.psql(
        "postgres", "select rolname from pg_roles where rolname ~ '^content_app_' and rolcanlogin"
    )[0]
    kube.psql("postgres", f"alter role {login} nologin")
    question = f"select rolcanlogin from pg_roles where rolname = '{login}'"
    eventually(
        lambda: kube.psql("postgres", question) == ["t"], BY_BULK_READ_SECONDS, f"{login} can log in again"
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
