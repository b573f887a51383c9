"""The identity provider that is measured: a process of its own on a durable PostgreSQL, with people who have accounts."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from argon2 import PasswordHasher, Type

from services.identity.settings import Settings
from services.identity.tests.browser import PASSWORD
from services.identity.tests.process import Process, started
from services.identity.usecases import signing_up
from suuupra.db import Database
from suuupra.migrations import Schema
from suuupra.testing.postgres import PostgresServer
from tests.load.processor import seconds_of

PEOPLE: Final = [f"bench{number}@example.org" for number in range(8)]
ROUNDS: Final = 3
"""In which ours and the peer take turns; the best of each counts: what else the machine does only makes it dearer."""


def _default(name: str) -> int:
    return int(Settings.model_fields[name].default)


MEMORY_KIB: Final = _default("password_memory_kib")
PASSES: Final = _default("password_passes")
WORKERS: Final = _default("password_workers")
ARGON2: Final = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
"""As the provider hashes by default."""


@dataclass(frozen=True)
class Provider:
    """The process, and its database as a pod sees it."""

    process: Process
    database_url: str

    def per_core(self, count: int, work: Callable[[], Awaitable[Any]]) -> float:
        """How many of `count` that `work` does the provider does in a second of its processor time."""
        before = seconds_of(self.process.pid)
        asyncio.run(_awaited(work))
        return count / (seconds_of(self.process.pid) - before)


async def _awaited(work: Callable[[], Awaitable[Any]]) -> None:
    await work()


@contextmanager
def provider() -> Iterator[Provider]:
    """Start the servers, with PEOPLE whose password is PASSWORD; remove them at the end."""
    postgres = PostgresServer.start(durable=True)
    try:
        url = postgres.url(postgres.create(Schema.of("identity")))
        asyncio.run(_people(url))
        argon2 = {"IDENTITY_PASSWORD_MEMORY_KIB": str(MEMORY_KIB), "IDENTITY_PASSWORD_PASSES": str(PASSES)}
        with tempfile.TemporaryDirectory() as folder, started(url, Path(folder), **argon2) as process:
            yield Provider(process, url)
    finally:
        postgres.container.remove()


async def _people(url: str) -> None:
    database = Database(url, application="bench", pool_size=1)
    for email in PEOPLE:
        async with database.transaction() as tx:
            await signing_up.create_verified(
                tx,
                email=email,
                name="Asha Rao",
                locale="en",
                roles=(),
                password_hash=ARGON2.hash(PASSWORD),
                now=datetime.now(UTC),
            )
    await database.close()


def best(measures: Sequence[Callable[[], float]]) -> list[float]:
    """The best of each over ROUNDS, after one that only warms: pools, plans, caches."""
    for measure in measures:
        measure()
    rounds = [[measure() for measure in measures] for _ in range(ROUNDS)]
    return list(map(max, zip(*rounds, strict=True)))
