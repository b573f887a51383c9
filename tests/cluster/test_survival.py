"""Kafka, PostgreSQL and the operator are killed while lessons are completed: nothing lost, nothing doubled."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from .kube import INFRA, Kube, eventually, resources
from .patient import await_operator, await_pod, insist, kill, kill_operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

TUTORIAL = "The Python Tutorial"
AT_ONCE = 6
"""Learners who read at the same time; one comes after another until the test has seen enough."""


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


@pytest.fixture
def pages(platform_url: str) -> list[str]:
    """Addresses of the tutorial's first lessons, those that everybody reads."""
    found = httpx.get(platform_url + "/v1/courses", params={"q": TUTORIAL}).json()["items"]
    course = next(one for one in found if one["title"] == TUTORIAL)
    contents = httpx.get(f"{platform_url}/v1/courses/{course['id']}/contents").json()
    lessons = [lesson for module in contents["modules"] for lesson in module["lessons"]]
    return [f"/courses/{course['slug']}/lessons/{it['slug']}" for it in lessons if not it["locked"]]


def await_progress(learners: Class) -> None:
    """Lessons are completed after this moment, not only before it."""
    seen = len(learners.acknowledged)
    eventually(lambda: len(learners.acknowledged) > seen, 60, "learners go on")


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
                kill(kube, namespace, pod)
                await_pod(kube, pod, namespace)
                await_progress(learners)
            led = kill_operator(kube)
            await_progress(learners)
            await_operator(kube, led)
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
