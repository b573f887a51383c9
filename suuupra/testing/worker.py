"""`python -m suuupra work SERVICE` as a process of its own, so that it can be killed."""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from suuupra import failpoints
from suuupra.testing import forking
from suuupra.testing.containers import free_port


@contextmanager
def working(
    service: str, environment: Mapping[str, str], *, failpoint: str = ""
) -> Iterator[forking.Process]:
    """The worker, killed at the end if it still lives."""
    whole = {
        **os.environ,
        **environment,
        "SUUUPRA_OPS_PORT": str(free_port()),
        "SUUUPRA_LOG_LEVEL": "warning",
        failpoints.VARIABLE: failpoint,
    }
    with forking.start("suuupra", "work", service, environment=whole) as process:
        try:
            yield process
        finally:
            process.kill()


async def killed_itself(process: forking.Process) -> bool:
    """Wait for its end; whether a failpoint was the cause."""
    return await asyncio.to_thread(process.wait, 90) == -signal.SIGKILL
