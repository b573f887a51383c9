"""A service is rolled out under callers who ask once and never again: the gateway drops none of their requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from .kube import WORKLOADS, Kube, eventually

pytestmark = pytest.mark.cluster

CALLERS = 4
PACE_SECONDS = 0.05
"""Between two requests of one caller: all of them together stay below the route's limit, 100/s per address."""
ENOUGH = 50
"""Answers before the rollout, and after it."""
SERVING = "app.kubernetes.io/instance=content,app.kubernetes.io/component=serve"


@dataclass
class Callers:
    """What each request came to: a status, or the name of the error that came in place of one."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def call(self, _place: int) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as browser:
            while not self.over.wait(PACE_SECONDS):
                answer = once(browser)
                with self.lock:
                    self.answers[answer] += 1

    def await_more(self) -> None:
        enough = self.answers.total() + ENOUGH
        eventually(lambda: self.answers.total() >= enough, 30, f"{ENOUGH} more requests are over")


def once(browser: httpx.Client) -> str:
    try:
        return str(browser.get("/v1/courses").status_code)
    except httpx.TransportError as error:
        return type(error).__name__


@contextmanager
def calling(url: str) -> Iterator[Callers]:
    """Inside, callers ask for what content tells everybody."""
    callers = Callers(url)
    with ThreadPoolExecutor(max_workers=CALLERS) as pool:
        asked = pool.map(callers.call, range(CALLERS))
        try:
            yield callers
        finally:
            callers.over.set()
        list(asked)


def serving(kube: Kube) -> dict[str, bool]:
    """Every pod that answers for content, those that are ending too, and whether it is ready."""
    return {
        pod["metadata"]["uid"]: all(
            one["ready"] for one in pod["status"].get("containerStatuses", [{"ready": False}])
        )
        for pod in kube.items("pods", "-l", SERVING)
    }


def replaced(kube: Kube, before: dict[str, bool]) -> bool:
    now = serving(kube)
    return bool(now) and not before.keys() & now.keys() and all(now.values())


def test_a_rollout_restart_of_a_service_drops_no_request(kube: Kube, platform_url: str) -> None:
    kube.await_ready("content", within=120)
    before = serving(kube)
    with calling(platform_url) as callers:
        callers.await_more()
        kube.run("rollout", "restart", "deployment/content", "-n", WORKLOADS)
        eventually(lambda: replaced(kube, before), 120, "every pod of content is another one, and ready")
        callers.await_more()
    print(f"answered: {callers.answers}")
    assert set(callers.answers) == {"200"}, callers.answers
    kube.await_ready("content", within=60)
