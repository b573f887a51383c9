"""Logins per second of a core, beside bare Argon2id with the same parameters.

A login is the form sent by a browser, with the right password: three transactions of PostgreSQL around one hash. What
counts is the provider's own processor time; both sides hash as many passwords at once, since they share the memory's
bandwidth.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpx

from services.identity.tests.browser import PASSWORD
from tests.load.provider import ARGON2, MEMORY_KIB, PASSES, PEOPLE, WORKERS, Provider, best, provider
from tests.load.report import Figure, over

LOGINS: Final = 160
"""In each round."""
BROWSERS: Final = 4


def measure() -> Sequence[Figure]:
    """Start the provider, measure, remove it."""
    with provider() as made:
        ours, bare = best([lambda: made.per_core(LOGINS, lambda: _logins(made)), _bare])
    return figures(ours, bare)


def figures(ours: float, bare: float) -> list[Figure]:
    """`ours` logins, `bare` hashes: each per second of a core."""
    beside = (1 / ours - 1 / bare) * 1000
    bound = f"Argon2id, {MEMORY_KIB // 1024} MiB and {PASSES} passes, on purpose; {beside:.1f} ms of a core beside it"
    return [
        Figure("logins", f"{ours:,.1f} logins/s/core", f"{bare:,.1f} bare Argon2id", over(ours, bare), bound)
    ]


async def _logins(made: Provider) -> None:
    left = iter(range(LOGINS))

    async def browser() -> None:
        async with httpx.AsyncClient(base_url=made.process.url, timeout=30) as http:
            for number in left:
                form = {"email": PEOPLE[number % len(PEOPLE)], "password": PASSWORD, "return_to": ""}
                answer = await http.post("/account/login", data=form, headers={"Origin": made.process.url})
                assert answer.status_code == 303, answer.text

    await asyncio.gather(*(browser() for _ in range(BROWSERS)))


def _bare() -> float:
    """Hashes per second of a core, as many at once as the provider's pool does."""
    kept = ARGON2.hash(PASSWORD)
    before = time.process_time()
    with ThreadPoolExecutor(WORKERS) as pool:
        assert all(pool.map(lambda _: ARGON2.verify(kept, PASSWORD), range(LOGINS)))
    return LOGINS / (time.process_time() - before)
