"""A Valkey of the session."""

from dataclasses import dataclass
from typing import Final

from suuupra.testing.containers import Container

PASSWORD: Final = "a-test-password"  # noqa: S105 (of a server that lives for one test session)


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """The session's Valkey."""

    container: Container

    @classmethod
    def start(cls, *options: str) -> "ValkeyServer":
        """Start it, with more of docker's options, and wait until it answers."""
        container = Container.run("valkey", 6379, "--env", f"VALKEY_PASSWORD={PASSWORD}", *options)
        container.wait(lambda started: started.succeeds(["ready"]))
        return cls(container)

    @property
    def url(self) -> str:
        """As a pod is told it."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.container.port}/0"
