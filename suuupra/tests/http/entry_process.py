"""The service of test_idempotency as a process of its own, so that it can be killed while it answers.

KIT_DATABASE, SUUUPRA_HTTP_PORT and SUUUPRA_OPS_PORT say where; SUUUPRA_FAILPOINTS says when it kills itself.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from suuupra import app, failpoints, serving
from suuupra.db import Database
from suuupra.settings import ServiceSettings, load
from suuupra.testing import forking
from suuupra.testing.containers import free_port
from suuupra.tests.http.entry_service import router


class Process:
    """A running one, with the address of its API."""

    def __init__(self, process: forking.Process, port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"

    def killed_itself(self) -> bool:
        """Wait for its end; whether a failpoint was the cause."""
        return self._process.wait(60) == -signal.SIGKILL


@contextmanager
def started(database_url: str, *, failpoint: str = "") -> Iterator[Process]:
    """The process, killed at the end if it still lives."""
    port = free_port()
    environment = {
        **os.environ,
        "KIT_DATABASE": database_url,
        "SUUUPRA_HTTP_PORT": str(port),
        "SUUUPRA_OPS_PORT": str(free_port()),
        failpoints.VARIABLE: failpoint,
    }
    with forking.start(__name__, environment=environment) as process:
        try:
            yield Process(process, port)
        finally:
            process.kill()


if __name__ == "__main__":
    database = Database(os.environ["KIT_DATABASE"], application="entries", pool_size=5)
    settings = load(ServiceSettings, service="entries", log_level="warning")
    serving.run(serving.serve(app.create(settings, router, resources=[database])))
