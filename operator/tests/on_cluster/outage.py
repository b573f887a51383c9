"""Backing servers that hang: nothing of theirs is refused, nothing is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from suuupra.testing.containers import Container, docker

from .api import NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually

STUCK = ("was-ready", "needs-kafka", "has-a-database", "needs-postgres")
"""Resources that need one of the servers that are away."""
NEITHER = NO_PODS | {"routes": [{"path": "/v1/x", "auth": "none"}]}
FIRST_PAUSE, LONGEST_PAUSE, JITTER = 0.5, 60.0, 0.2
"""The bounds that O24 gives, in seconds and as a share: written down here, so that a change of the operator's is seen."""
LAST_SECONDS = 8.0
"""Of the outage, in which it is asked whether others go on."""


@contextmanager
def away(*servers: Container) -> Iterator[None]:
    """Inside, these servers hang."""
    try:
        for server in servers:
            docker("pause", server.id)
        yield
    finally:
        for server in servers:
            back(server)


def back(server: Container) -> None:
    """It goes on, if it hangs."""
    if docker("inspect", "--format", "{{.State.Paused}}", server.id) == "true":
        docker("unpause", server.id)


async def noticed(operator: OperatorProcess, server: str) -> None:
    await eventually(
        lambda: operator.total("suuupra_operator_backend_up", backend=server) == 0,
        60,
        f"{server} is noticed to be away",
    )


def most_tries(seconds: float) -> float:
    """How often something that fails may be tried within so many seconds: pauses double up to the longest, less jitter."""
    pause, tries, passed = FIRST_PAUSE, 1.0, 0.0
    while passed < seconds:
        passed, tries, pause = passed + (1 - JITTER) * pause, tries + 1, min(2 * pause, LONGEST_PAUSE)
    return tries


@dataclass
class Outage:
    """Kafka hangs for ``away`` seconds, and so does PostgreSQL, ``apart`` seconds later: each is once the only one.

    Everything that must hold meanwhile is asserted; ``times`` are seconds, by what took them.
    """

    api: Api
    operator: OperatorProcess
    away: float
    apart: float
    times: dict[str, float] = field(default_factory=dict)
    tries: float = 0.0
    """Looks at resources that wait for a server, while both were away."""
    waited: float = 0.0
    """Seconds in which those were counted."""

    async def run(self) -> None:
        servers = self.api.servers
        await self.api.service("was-ready", _publishing("parcel.sent"))
        await self.api.ready("was-ready")
        with away(servers.kafka):
            kafka_since = time.monotonic()
            await self._without_kafka()
            await _at(kafka_since + self.apart)
            with away(servers.postgres):
                postgres_since = time.monotonic()
                await self._without_both(kafka_since + self.away)
                back(servers.kafka)
                await self._with_kafka_again()
                await _at(postgres_since + self.away)
        await self._timed(
            "PostgreSQL is back → what waits for it is Ready", self._ready("needs-postgres", "has-a-database")
        )
        assert self.operator.total("suuupra_operator_reconciles_total", outcome="crash") == 0

    async def _without_kafka(self) -> None:
        await self._timed("Kafka hangs → noticed", noticed(self.operator, "kafka"))
        await self.api.service("needs-kafka", _publishing("order.created"))
        await self.api.service("has-a-database", NO_PODS | {"database": {}})
        await self.api.ready("has-a-database", 30)
        unseen = await self.api.until("was-ready", "TopicsReady", status="Unknown")
        assert unseen["reason"] == "KafkaUnreachable"
        ready = await self.api.condition("was-ready")
        assert ready["status"] == "True"
        assert "TopicsReady: there when last seen, events wait in the outbox" in ready["message"]

    async def _without_both(self, until: float) -> None:
        await self._timed("PostgreSQL hangs → noticed", noticed(self.operator, "postgres"))
        await self.api.service("needs-postgres", NO_PODS | {"database": {}})
        await self.api.until("needs-postgres", "DatabaseReady", reason="PostgreSQLUnreachable")
        said = await self.api.until("needs-kafka", "TopicsReady", reason="KafkaUnreachable")
        assert "Kafka does not answer" in said["message"]
        await self.api.until("has-a-database", "DatabaseReady", reason="PostgreSQLUnreachable")

        tries, since = self._tries(), time.monotonic()
        await _at(until - LAST_SECONDS)
        self.tries, self.waited = self._tries() - tries, time.monotonic() - since
        most = len(STUCK) * most_tries(self.waited)
        assert self.tries <= most, f"{self.tries} tries in {self.waited:.0f} s, and {most:.0f} are plenty"
        await self._others_go_on()
        await _at(until)

    async def _others_go_on(self) -> None:
        """At the end of it, when whatever could have filled up has had its time to."""
        await self.api.service("needs-neither", NEITHER)
        await self._timed(
            "a resource that needs neither, applied in the last seconds → Ready",
            self.api.ready("needs-neither", 15),
        )
        before = (await self.api.must("Deployment", "needs-neither"))["metadata"]["uid"]
        await self.api.delete("Deployment", "needs-neither")

        async def again() -> bool:
            found = await self.api.get("Deployment", "needs-neither")
            return found is not None and found["metadata"]["uid"] != before

        await self._timed(
            "its Deployment, deleted by hand → there again", eventually(again, 5, "the Deployment is back")
        )

    async def _with_kafka_again(self) -> None:
        await self._timed("Kafka is back → what waits for it is Ready", self._ready("needs-kafka"))
        await self.api.until("was-ready", "TopicsReady", status="True")
        assert (await self.api.condition("was-ready"))["message"] == "every part is ready"
        assert (await self.api.condition("needs-postgres"))["status"] == "False"

    async def _ready(self, *names: str) -> None:
        for name in names:
            await self.api.ready(name, 60)

    async def _timed(self, what: str, work: Awaitable[object]) -> None:
        began = time.monotonic()
        await work
        self.times[what] = time.monotonic() - began

    def _tries(self) -> float:
        return self.operator.total("suuupra_operator_reconciles_total", kind="SuuupraService")


def _publishing(topic: str) -> dict[str, Any]:
    return NO_PODS | {"events": {"publishes": [{"topic": topic}]}}


async def _at(moment: float) -> None:
    """The length of an outage is the caller's own; nothing else is waited for."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
