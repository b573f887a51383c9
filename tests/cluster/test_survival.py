"""Kafka, PostgreSQL and the operator are killed while lessons are completed: nothing lost, nothing doubled."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from .kube import INFRA, SYSTEM, Kube, eventually, resources

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

AT_ONCE = 6
"""Learners who read at the same time; one comes after another until the test has seen enough."""
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
    numbers: Iterator[int] = field(default_factory=itertools.count)
    over: threading.Event = field(default_factory=threading.Event)

    def attend(self, _place: int) -> None:
        """Learner after learner, each to the end, until it is over: whatever is killed, somebody is at it."""
        while not self.over.is_set():
            self.learn(next(self.numbers))

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
    """Addresses of the tutorial's first lessons, those that everybody reads."""
    course = httpx.get(platform_url + "/v1/courses").json()["items"][0]
    contents = httpx.get(f"{platform_url}/v1/courses/{course['id']}/contents").json()
    lessons = [lesson for module in contents["modules"] for lesson in module["lessons"]]
    return [f"/courses/{course['slug']}/lessons/{it['slug']}" for it in lessons if not it["locked"]]


def kill(kube: Kube, pod: str, namespace: str) -> None:
    """As a failing node does it: no goodbye."""
    kube.delete("pod", pod, "--force", "--grace-period=0", namespace=namespace)


def operator_pods(kube: Kube) -> list[str]:
    pods = kube.items("pods", "-l", "app.kubernetes.io/name=suuupra-operator", namespace=SYSTEM)
    return [pod["metadata"]["name"] for pod in pods]


def leads(kube: Kube, gone: list[str]) -> bool:
    """Whether a pod that was not killed holds a Lease of the operator's."""
    alive = [pod for pod in operator_pods(kube) if pod not in gone]
    holders = [lease["spec"].get("holderIdentity", "") for lease in kube.items("leases", namespace=SYSTEM)]
    return any(holder.startswith(pod) for holder in holders for pod in alive)


def await_progress(learners: Class) -> None:
    """Lessons are completed after this moment, not only before it."""
    seen = len(learners.acknowledged)
    eventually(lambda: len(learners.acknowledged) > seen, 60, "learners go on")


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
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        done = pool.map(learners.attend, range(AT_ONCE))
        try:
            for pod, namespace in (("kafka-0", INFRA), ("postgres-0", INFRA)):
                kill(kube, pod, namespace)
                await_pod(kube, pod, namespace)
                await_progress(learners)
            gone = operator_pods(kube)
            for pod in gone:
                kill(kube, pod, SYSTEM)
            await_progress(learners)
            eventually(lambda: leads(kube, gone), 120, "a new operator leads")
        finally:
            learners.over.set()
        list(done)
    before, _ = settled
    assert len(learners.acknowledged) == next(learners.numbers) * len(pages)
    assert completed(kube) - before == len(learners.acknowledged), (
        "told to a learner, but not in the database"
    )
    eventually(lambda: counted(kube) == completed(kube), 120, "every completion is counted exactly once")
    eventually(lambda: unpublished(kube) == 0, 30, "the outbox is empty")
    for name in resources():
        kube.await_ready(name, within=120)
