"""Services as processes of their own, so that they can be killed: `python -m suuupra work|serve payments`."""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import httpx

from suuupra import failpoints
from suuupra.testing import forking
from suuupra.testing.containers import free_port
from suuupra.testing.waiting import until


@dataclass(frozen=True, slots=True)
class Process:
    """A running one."""

    process: forking.Process
    url: str
    ops: str

    async def killed_itself(self) -> bool:
        """Wait for its end; whether a failpoint was the cause."""
        return await asyncio.to_thread(self.process.wait, 90) == -signal.SIGKILL

    async def ready(self) -> None:
        """Wait until it says that it is ready."""

        async with httpx.AsyncClient(trust_env=False) as http:

            async def well() -> bool:
                assert self.process.poll() is None, "it ended by itself"
                try:
                    return (await http.get(f"{self.ops}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(well, limit=90)


@contextmanager
def started(
    role: Literal["work", "serve"],
    environment: Mapping[str, str],
    *,
    failpoint: str = "",
    service: str = "payments",
    own_url: str = "",
) -> Iterator[Process]:
    """The process, killed at the end if it still lives. `own_url` is the variable that tells it its own address."""
    http, ops = free_port(), free_port()
    url = f"http://127.0.0.1:{http}"
    whole = {
        **({own_url: url} if own_url else {}),
        **os.environ,
        **environment,
        "SUUUPRA_HTTP_HOST": "127.0.0.1",
        "SUUUPRA_OPS_HOST": "127.0.0.1",
        "SUUUPRA_HTTP_PORT": str(http),
        "SUUUPRA_OPS_PORT": str(ops),
        "SUUUPRA_LOG_LEVEL": "error",
        failpoints.VARIABLE: failpoint,
    }
    with forking.start("suuupra", role, service, environment=whole) as process:
        try:
            yield Process(process, url, f"http://127.0.0.1:{ops}")
        finally:
            process.kill()
