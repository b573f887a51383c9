"""What a run took of the node: its counters from before until the last that counts, not until nothing more came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .cluster import Client
from .footprint import Snapshot, busiest, node_of, snapshot


@dataclass
class Counted:
    """The node's counters from before a run until after it, as often as the kubelet takes them, and the buyers' own.

    Who waits for journals that never come waits minutes in which nothing goes on: a mean to the end would be of those.
    """

    taken: list[tuple[Snapshot, float]] = field(default_factory=list)
    """Each with the processor seconds of the buyers' process until then."""

    def until(self, moment: float) -> tuple[float, float, str]:
        """Mean cores of the node and of the buyers from the first reading to the first after this moment, in seconds
        since 1970, and which containers took most."""
        (before, bought_from), *later = self.taken
        ends = (one for one in later if one[0]["", ""].at.timestamp() >= moment)
        after, bought_until = next(ends, self.taken[-1])
        seconds = (after["", ""].at - before["", ""].at).total_seconds()
        cores, most = busiest(before, after)
        return cores, (bought_until - bought_from) / seconds if seconds else 0.0, most


@asynccontextmanager
async def counting(client: Client) -> AsyncIterator[Counted]:
    """Read the counters as they are now, then whenever they are new, and once more at the end."""
    node, counted = await node_of(client), Counted()

    async def read() -> None:
        asked = datetime.now(UTC)
        while True:
            found = await snapshot(client, node)
            if found["", ""].at >= asked:
                counted.taken.append((found, time.process_time()))
                return
            await asyncio.sleep(0.5)

    async def keep_reading() -> None:
        while True:
            await read()

    await read()
    reader = asyncio.create_task(keep_reading())
    try:
        yield counted
        await read()
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
