"""Kafka, PostgreSQL and the operator are killed while lessons are completed: nothing lost, nothing doubled."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from .kube import INFRA, SYSTEM, Kube, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

LEARNERS = 60
PATIENCE_SECONDS = 120.0
"""How long a learner keeps trying: longer than any single outage here."""
RETRY_SECONDS = 0.5


@dataclass
class Class:
    """Learners who complete the same lessons at the same time, each through the public web app."""

    url: str
    pages: list[str]
    acknowledged: set[tuple[int, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, learner: int) -> None:
        with httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=10) as browser:
            insist(browser, "GET", self.pages[0], {200})
            for page in self.pages:
                insist(browser, "POST", page + "/complete", {303})
                with self.lock:
                    self.acknowledged.add((learner, page))


def insist(browser: httpx.Client, method: str, path: str, wanted: set[int]) -> None:
    """Ask until the answer is one of `wanted`: what a person with a reload button does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    last = "nothing"
    while time.monotonic() < deadline:
        try:
            answer = browser.request(method, path)
        except httpx.TransportError as error:
            last = repr(error)
        else:
            if answer.status_code in wanted:
                return
            last = f"{answer.status_code} {answer.text[:200]}"
        time.sleep(RETRY_SECONDS)
    raise AssertionError(f"{method} {path} was never answered with {wanted}; last: {last}")


@pytest.fixture
def pages(platform_url: str) -> list[str]:
    """Addresses of the tutorial's first lessons."""
    course = httpx.get(platform_url + "/v1/courses").json()["items"][0]
    contents = httpx.get(f"{platform_url}/v1/courses/{course['id']}/contents").json()
    lessons = [lesson["slug"] for module in contents["modules"] for lesson in module["lessons"]]
    return [f"/courses/{course['slug']}/lessons/{slug}" for slug in lessons[:8]]


def kill(kube: Kube, pod: str, namespace: str) -> None:
    """As a failing node does it: no goodbye."""
    kube.delete("pod", pod, "--force", "--grace-period=0", namespace=namespace)


def operator_pods(kube: Kube) -> list[str]:
    pods = kube.items("pods", "-l", "app.kubernetes.io/name=suuupra-operator", namespace=SYSTEM)
    return [pod["metadata"]["name"] for pod in pods]


def await_pod(kube: Kube, pod: str, namespace: str) -> None:
    def ready() -> bool:
        found = kube.get("pod", pod, namespace=namespace) or {}
        return any(one["ready"] for one in found.get("status", {}).get("containerStatuses", []))

    eventually(ready, 120, f"{pod} is ready again")


def completed(kube: Kube) -> int:
    return int(kube.psql("content", "select count(*) from lesson_progress where completed_at is not null")[0])


def counted(kube: Kube) -> int:
    return int(kube.psql("content", "select coalesce(sum(completions), 0) from completion_count")[0])


def unpublished(kube: Kube) -> int:
    return int(kube.psql("content", "select count(*) from outbox where published_at is null")[0])


@pytest.fixture
def settled(kube: Kube) -> tuple[int, int]:
    """What was completed and counted before the test, once events of earlier tests have arrived."""
    kube.await_ready("content", within=120)
    eventually(lambda: completed(kube) == counted(kube), 60, "earlier completions are all counted")
    return completed(kube), counted(kube)


def test_o24_nothing_is_lost_or_doubled_while_kafka_postgresql_and_the_operator_are_killed(
    kube: Kube, platform_url: str, pages: list[str], settled: tuple[int, int]
) -> None:
    """O24: others go on, and everything recovers by itself; completions equal what learners were told."""
    learners = Class(platform_url, pages)
    with ThreadPoolExecutor(max_workers=6) as pool:
        done = pool.map(learners.learn, range(LEARNERS))
        for pod, namespace in (("kafka-0", INFRA), ("postgres-0", INFRA)):
            progress = len(learners.acknowledged)
            kill(kube, pod, namespace)
            await_pod(kube, pod, namespace)
            eventually(lambda seen=progress: len(learners.acknowledged) > seen, 60, "learners go on")  # type: ignore[misc]
        for pod in operator_pods(kube):
            kill(kube, pod, SYSTEM)
        list(done)
    before, _ = settled
    assert len(learners.acknowledged) == LEARNERS * len(pages)
    assert completed(kube) - before == len(learners.acknowledged), (
        "told to a learner, but not in the database"
    )
    eventually(lambda: counted(kube) == completed(kube), 120, "every completion is counted exactly once")
    eventually(lambda: unpublished(kube) == 0, 30, "the outbox is empty")
    for name in ("content", "web", "api-gateway"):
        kube.await_ready(name, within=120)
