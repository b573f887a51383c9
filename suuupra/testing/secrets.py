"""Secrets for tests: kept in memory, for services that use them; and OpenBao itself, for the store's own tests."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import hvac
import requests

from suuupra.secrets_store import Secret, SecretChanged, SecretsUnavailable
from suuupra.testing.containers import Container

ROOT_TOKEN: Final = "test"  # noqa: S105 (of a server that lives for one test session)


class MemorySecrets:
    """A backend that keeps secrets in memory and can be made to be away: `SecretsStore(MemorySecrets())`."""

    def __init__(self) -> None:
        self.kept: dict[str, Secret] = {}
        self.away = False
        self._lock = threading.Lock()

    def read(self, path: str) -> Secret | None:
        """The newest version, or None."""
        self.check()
        return self.kept.get(path)

    def write(self, path: str, data: Mapping[str, str], cas: int | None) -> int:
        """Store a new version."""
        self.check()
        with self._lock:
            newest = self.kept[path].version if path in self.kept else 0
            if cas is not None and cas != newest:
                raise SecretChanged("The secret was written by somebody else meanwhile.")
            self.kept[path] = Secret(dict(data), newest + 1)
            return newest + 1

    def check(self) -> None:
        """Raise SecretsUnavailable while the test says that the store is away."""
        if self.away:
            raise SecretsUnavailable("The secret store did not do this.", headers={"Retry-After": "1"})

    def close(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class OpenBaoServer:
    """The session's OpenBao, unsealed."""

    container: Container

    @classmethod
    def start(cls) -> "OpenBaoServer":
        """Start it in its development mode, which keeps everything in memory."""
        container = Container.run("openbao", 8200, "--env", f"OPENBAO_DEV_ROOT_TOKEN={ROOT_TOKEN}")
        container.wait(lambda started: started.succeeds(["ready"]))
        return cls(container)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.container.port}"

    def root(self) -> hvac.Client:
        """A client that may do everything; it blocks."""
        session = requests.Session()
        session.trust_env = False
        return hvac.Client(url=self.url, token=ROOT_TOKEN, session=session)

    def mount(self) -> str:
        """A new, empty engine, and where it is mounted."""
        path = f"test-{uuid4().hex[:12]}"
        self.root().sys.enable_secrets_engine("kv", path=path, options={"version": "2"})
        return path
