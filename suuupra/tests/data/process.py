"""A relay or a consumer as a process of its own, so that it can be killed: python -m suuupra.tests.data.process relay

Reads KIT_NAME, KIT_KAFKA and KIT_DATABASE; SIGTERM stops it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from suuupra import failpoints
from suuupra.consuming import Consumer
from suuupra.db import Database
from suuupra.inbox import on
from suuupra.relay import Relay
from suuupra.running import Runnable
from suuupra.testing import forking
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.ledger import Counted, record


@contextmanager
def started(role: str, settings: Settings, *, failpoint: str = "") -> Iterator[forking.Process]:
    """The process, killed at the end if it still lives."""
    environment = {
        **os.environ,
        "KIT_NAME": settings.name,
        "KIT_KAFKA": settings.kafka_bootstrap,
        "KIT_DATABASE": settings.database_url.get_secret_value(),
        failpoints.VARIABLE: failpoint,
    }
    with forking.start(__name__, role, environment=environment) as process:
        try:
            yield process
        finally:
            process.kill()


async def killed_itself(process: forking.Process) -> bool:
    """Wait for its end; whether a failpoint was the cause."""
    return await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL


async def _run(role: str) -> None:
    settings = Settings(
        os.environ["KIT_NAME"], os.environ["KIT_KAFKA"], SecretStr(os.environ["KIT_DATABASE"])
    )
    database = Database(settings.database_url, application=settings.name, pool_size=5)
    runnable: Runnable = (
        Relay(settings) if role == "relay" else Consumer(database, settings, [on(Counted, record)])
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    running = asyncio.create_task(runnable.run())
    await stopping.wait()
    await runnable.stop()
    await running
    await database.close()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
