"""Two gateways that count together, in memory or in a real Valkey."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from prometheus_client import REGISTRY

from services.api_gateway.domain.gcra import MICROSECONDS, Keyed, Share, Verdict, decide
from services.api_gateway.domain.routes import Snapshot
from services.api_gateway.store import CountersAway
from services.api_gateway.tests.rig import Rig, bearer, running
from services.api_gateway.usecases.limiting import Buckets, Limiter

HEADROOM = 1.05
"""What check T11 allows above a limit."""
PATIENCE = 10.0
"""Seconds for a question here: the clients run in the process that answers, so answers come later than elsewhere."""


@dataclass
class MemoryBuckets:
    """Valkey's part, in memory, on a clock that stands still; it can be away."""

    full_at: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    away: bool = False

    async def take(self, buckets: Sequence[Keyed]) -> Verdict:
        self.asked += 1
        if self.away:
            raise CountersAway("told to be")
        keys, shares = [bucket.key for bucket in buckets], [bucket.share for bucket in buckets]
        said, moved = decide([self.full_at.get(key) for key in keys], MICROSECONDS, shares)
        if moved is not None:
            self.full_at.update(zip(keys, moved, strict=True))
        return said

    async def close(self) -> None: ...


@dataclass
class Pair:
    """Two gateways behind one hop, which tells them the client's address."""

    rigs: tuple[Rig, Rig]
    buckets: MemoryBuckets

    async def ask(self, path: str, count: int, **headers: str) -> list[int]:
        """Status of `count` requests in parallel, half over each gateway."""
        asked = [self.rigs[n % 2].http.get(path, headers=_named(headers)) for n in range(count)]
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    def bearer(self, **claims: Any) -> dict[str, str]:
        """A token that both gateways take."""
        return bearer(self.rigs[0].issuer.token(**claims))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def admitted(statuses: list[int]) -> int:
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


@contextlib.asynccontextmanager
async def gateway(snapshot: Snapshot, buckets: Buckets, folder: Path, **options: Any) -> AsyncIterator[Rig]:
    limiter = Limiter(folder / f"{uuid4().hex[:8]}.sock", buckets)
    answering = asyncio.create_task(limiter.run())
    try:
        async with running(
            snapshot, limits_socket=limiter._socket, limits_seconds=2 * PATIENCE, **options
        ) as rig:
            yield rig
    finally:
        await limiter.stop()
        await answering


async def given_up(*rigs: Rig) -> float:
    """How many questions Envoy answered by yes itself, because it had no answer in time."""
    text = "".join([(await rig.gateway.exposition()).decode() for rig in rigs])
    return sum(
        float(count)
        for count in re.findall(r"^envoy_http_ext_authz_failure_mode_allowed{\S+ (\S+)", text, re.M)
    )


def let_through_unasked() -> float:
    """How many questions were answered by yes because Valkey was away."""
    return REGISTRY.get_sample_value("suuupra_gateway_limit_answers_total", {"answer": "open"}) or 0.0


def a_bucket(burst: int = 5, interval: int = 60 * MICROSECONDS) -> Keyed:
    """A caller's whom nobody met before."""
    return Keyed(f"test:{uuid4()}", Share(None, burst, interval))
