"""A resource on the node's port that kind maps to this machine, asked from outside like a learner's browser does."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from .api import NAMESPACE, Api
from .waiting import eventually

NODE_PORT = 30080
ENOUGH = 30
"""Requests that make a change one under traffic, also on a machine with much else to do."""


@dataclass
class Outside:
    """Its address, and how those who asked fared."""

    url: str
    served: int = 0
    failures: list[str] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, api: Api, resource: str) -> AsyncIterator[Outside]:
        """The resource's serving pods, reachable inside."""
        selector = {"app.kubernetes.io/instance": resource, "app.kubernetes.io/component": "serve"}
        port = {"port": 80, "targetPort": 8000, "nodePort": NODE_PORT}
        meta = {"name": "outside", "namespace": NAMESPACE}
        spec = {"type": "NodePort", "selector": selector, "ports": [port]}
        made = await api.cluster.apply(
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
        )
        found = cls(api.kind.url)
        try:
            await eventually(lambda: found.ask()[1] == "", 30, "the node port answers")
            yield found
        finally:
            await api.cluster.delete(made)

    def ask(self, path: str = "/") -> tuple[str, str]:
        """What it answers, and what is wrong: one of them is empty."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
                return answer.read().decode(), ""
        except (OSError, urllib.error.URLError) as error:
            return "", repr(error)

    @contextlib.asynccontextmanager
    async def under_traffic(self) -> AsyncIterator[None]:
        """Inside, it is asked again and again, each time over a new connection; every request must be answered."""
        stop = asyncio.Event()
        load = asyncio.create_task(asyncio.to_thread(self._requests, stop))
        try:
            yield
        finally:
            stop.set()
            await load
        assert self.failures == [], f"{len(self.failures)} requests failed, the first by {self.failures[0]}"
        assert self.served > ENOUGH, f"{self.served} requests are no traffic"

    def _requests(self, stop: asyncio.Event) -> None:
        """What fails is not tried again."""
        while not stop.is_set():
            _, wrong = self.ask()
            if wrong:
                self.failures.append(wrong)
            else:
                self.served += 1
