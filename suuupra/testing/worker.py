"""`python -m suuupra work|serve SERVICE` as processes of their own, so that they can be killed."""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from suuupra import failpoints
from suuupra.testing import forking
from suuupra.testing.containers import free_port
from suuupra.testing.waiting import until


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


@dataclass(frozen=True, slots=True)
class Serving:
    """A process that answers at `url`."""

    process: forking.Process
    url: str

    async def answers(self, http: httpx.AsyncClient) -> None:
        """Return when it does."""

        async def listening() -> bool:
            try:
                return (await http.get(f"{self.url}/nowhere")).status_code == 404
            except httpx.ConnectError:
                return False

        await until(listening, limit=60)


@contextmanager
def serving(service: str, environment: Mapping[str, str], *, failpoint: str = "") -> Iterator[Serving]:
    """The HTTP process, killed at the end if it still lives."""
    port = free_port()
    whole = {
        **os.environ,
        **environment,
        "SUUUPRA_HTTP_HOST": "127.0.0.1",
        "SUUUPRA_HTTP_PORT": str(port),
        "SUUUPRA_OPS_HOST": "127.0.0.1",
        "SUUUPRA_OPS_PORT": str(free_port()),
        "SUUUPRA_LOG_LEVEL": "warning",
        failpoints.VARIABLE: failpoint,
    }
    with forking.start("suuupra", "serve", service, environment=whole) as process:
        try:
            yield Serving(process, f"http://127.0.0.1:{port}")
        finally:
            process.kill()


async def killed_itself(process: forking.Process) -> bool:
    """Wait for its end; whether a failpoint was the cause."""
    return await asyncio.to_thread(process.wait, 90) == -signal.SIGKILL
