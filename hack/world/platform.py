"""The platform as somebody outside sees it, and the one door inside, for accounts with a role: identity's own commands."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.3
TIMEOUT_SECONDS = 30.0

T = TypeVar("T")


class WorldFailed(Exception):
    """Something did not go as it must; the text says what was asked and what came."""


@dataclass(frozen=True)
class Platform:
    """Where it is, and how its cluster is reached."""

    url: str
    kubectl: tuple[str, ...]
    namespace: str = "suuupra"
    browsers: list[httpx.Client] = field(default_factory=list)

    def browser(self, token: str | None = None) -> httpx.Client:
        """A browser, or a program with somebody's token; it follows no redirect by itself."""
        headers = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        if token:
            headers = {"Authorization": f"Bearer {token}"}
        made = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_SECONDS)
        self.browsers.append(made)
        return made

    def identity(self, *words: str, env: Sequence[str] = ()) -> str:
        """Run `python -m suuupra identity …` where identity runs; what it prints."""
        command = [*self.kubectl, "-n", self.namespace, "exec", "deploy/identity", "--", "env", *env]
        ran = subprocess.run(
            [*command, "python", "-m", "suuupra", "identity", *words], capture_output=True, text=True
        )
        if ran.returncode:
            raise WorldFailed(f"identity {words[0]}: {ran.stderr.strip() or ran.stdout.strip()}")
        return ran.stdout.strip()

    def close(self) -> None:
        for one in self.browsers:
            one.close()


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, which must be a success or a redirect."""
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        asked = f"{answer.request.method} {answer.request.url}"
        raise WorldFailed(f"{asked}: {answer.status_code} {answer.text[:400]}")
    return answer


def read(answer: httpx.Response) -> Any:
    """The JSON of an answer that must be a success."""
    return checked(answer).json()


def once(what: str) -> dict[str, str]:
    """The headers under which something is done once, however often it is asked for."""
    return {"Idempotency-Key": f"world-{what}"}


def eventually(look: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """What `look` finds, as soon as it finds something: events take their way."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise WorldFailed(f"{seconds:.0f} s went by without {what}")
        time.sleep(PAUSE_SECONDS)
