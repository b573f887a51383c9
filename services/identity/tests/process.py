"""identity as a process of its own, as `serve` runs it, on a real database; its clock can be moved, its secrets lie in a file.

IDENTITY_TEST_FOLDER says where both are. Everything else comes from the environment, as in a pod.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from services.identity.app import create_app
from services.identity.domain import keys
from services.identity.domain.keys import Ring
from services.identity.settings import Settings
from suuupra import logs, serving
from suuupra.clock import SystemClock
from suuupra.secrets_store import Secret, SecretChanged, SecretsStore
from suuupra.settings import load
from suuupra.testing import forking
from suuupra.testing.containers import free_port

FOLDER: Final = "IDENTITY_TEST_FOLDER"
CHEAP: Final = {"IDENTITY_PASSWORD_MEMORY_KIB": "1024", "IDENTITY_PASSWORD_PASSES": "1"}
"""Passwords that cost next to nothing, for tests that are about something else."""
START_SECONDS: Final = 60.0


class MovedClock(SystemClock):
    """The machine's clock, as far ahead as the file says."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._ahead())

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead()

    def _ahead(self) -> float:
        return float(self._file.read_text() or 0)


class FileSecrets:
    """A backend of suuupra.secrets_store that keeps secrets in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def read(self, path: str) -> Secret | None:
        found = self._all().get(path)
        return Secret(found["data"], found["version"]) if found else None

    def write(self, path: str, data: Mapping[str, str], cas: int | None) -> int:
        with self._lock:
            kept = self._all()
            version = int(kept[path]["version"]) if path in kept else 0
            if cas is not None and cas != version:
                raise SecretChanged("The secret was written by somebody else meanwhile.")
            kept[path] = {"data": dict(data), "version": version + 1}
            self._file.write_text(json.dumps(kept))
            return version + 1

    def _all(self) -> dict[str, Any]:
        return dict(json.loads(self._file.read_text() or "{}"))

    def check(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Process:
    """A running one."""

    url: str
    folder: Path
    pid: int

    def advance(self, seconds: float) -> None:
        """Let its clock jump ahead."""
        file = self.folder / "ahead"
        file.write_text(str(float(file.read_text() or 0) + seconds))

    @property
    def clock(self) -> MovedClock:
        """Its clock."""
        return MovedClock(self.folder / "ahead")

    @property
    def ring(self) -> Ring:
        """Its keys, private halves included."""
        found = FileSecrets(self.folder / "secrets").read("identity/signing-keys")
        assert found is not None
        return keys.load(found.data)

    @property
    def web_secret(self) -> str:
        """What the client `web` finds in the secret store."""
        found = FileSecrets(self.folder / "secrets").read("identity/clients/web")
        assert found is not None
        assert found.data["client_id"] == "web"
        return found.data["client_secret"]


@contextmanager
def started(database_url: str, folder: Path, **environment: str) -> Iterator[Process]:
    """The process, ready; ended at the end."""
    port, ops = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    for name in ("ahead", "secrets"):
        (folder / name).touch()
    told = {
        **os.environ,
        "SUUUPRA_DATABASE_URL": database_url,
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_OPENBAO_URL": "http://127.0.0.1:9",
        "SUUUPRA_OPENBAO_TOKEN": "unused",
        "SUUUPRA_SMTP_HOST": "127.0.0.1",
        "SUUUPRA_PUBLIC_URL": url,
        "SUUUPRA_HTTP_HOST": "127.0.0.1",
        "SUUUPRA_HTTP_PORT": str(port),
        "SUUUPRA_OPS_HOST": "127.0.0.1",
        "SUUUPRA_OPS_PORT": str(ops),
        "SUUUPRA_DRAIN_SECONDS": "0",
        "SUUUPRA_LOG_LEVEL": "warning",
        FOLDER: str(folder),
        **CHEAP,
        **environment,
    }
    with forking.start(__name__, environment=told) as process:
        try:
            _until_ready(process, f"http://127.0.0.1:{ops}/readyz")
            yield Process(url, folder, process.pid)
        finally:
            process.terminate()


def _until_ready(process: forking.Process, address: str) -> None:
    deadline, last = time.monotonic() + START_SECONDS, ""
    with httpx.Client(timeout=2) as client:  # one for all: to make one costs more than to ask
        while time.monotonic() < deadline and process.poll() is None:
            try:
                answer = client.get(address)
            except httpx.TransportError as error:
                last = str(error)
            else:
                last = answer.text
                if answer.status_code == 200:
                    return
            time.sleep(0.05)
    raise AssertionError(f"identity did not become ready: {last or process.poll()}")


def main() -> None:
    folder = Path(os.environ[FOLDER])
    settings = load(Settings, service="identity")
    logs.configure(settings)
    secrets = SecretsStore(FileSecrets(folder / "secrets"))
    serving.run(serving.serve(create_app(settings, secrets=secrets, clock=MovedClock(folder / "ahead"))))


if __name__ == "__main__":
    main()
