"""The gateway with a real Envoy and real services, over a source of routes that the test drives."""

import asyncio
import contextlib
import json
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from services.api_gateway.domain.envoy.config import build
from services.api_gateway.domain.envoy.options import Keys, Options
from services.api_gateway.domain.routes import Claimed, Endpoint, Service, Snapshot
from services.api_gateway.usecases.apply import Builder
from services.api_gateway.usecases.serve import Draining, Gateway
from suuupra.clock import SystemClock
from suuupra.trust import authorities

ISSUER = "http://localhost:8080"
AUDIENCE = "suuupra"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = Snapshot((), {})
QUICK = Draining(0.1, 5.0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait for something another process does."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """The same for a condition that is told at once."""

    async def told() -> bool:
        return condition()

    await eventually(told, seconds)


def claimed(path: str, **fields: Any) -> Claimed:
    return Claimed({"path": path, **fields}, accepted=True, reason="Accepted", message="")


def service(name: str, *routes: Claimed, age_days: int = 0, leaving: bool = False) -> Service:
    return Service(name, LONG_AGO - timedelta(days=age_days), routes, leaving)


class DrivenSource:
    """A RouteSource in the test's hand."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.wrong: str | None = None
        self._tell: Callable[[Snapshot], None] | None = None

    async def run(self, tell: Callable[[Snapshot], None]) -> None:
        self._tell = tell
        tell(self.snapshot)
        await asyncio.Event().wait()

    def set(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        if self._tell:
            self._tell(snapshot)

    def set_endpoints(self, name: str, *ports: int) -> None:
        endpoints = {**self.snapshot.endpoints, name: tuple(Endpoint("127.0.0.1", port) for port in ports)}
        self.set(replace(self.snapshot, endpoints=endpoints))

    def set_service(self, changed: Service) -> None:
        others = tuple(item for item in self.snapshot.services if item.name != changed.name)
        self.set(replace(self.snapshot, services=(*others, changed)))

    def remove_service(self, name: str) -> None:
        self.set(replace(self.snapshot, services=tuple(s for s in self.snapshot.services if s.name != name)))

    def trouble(self) -> str | None:
        return self.wrong

    def age(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Issuer:
    """A key and the tokens it signs. Every part of a token can be spoilt."""

    key: ECKey

    @classmethod
    def new(cls) -> "Issuer":
        return cls(ECKey.generate_key("P-256", {"kid": "key-1", "alg": "ES256", "use": "sig"}))

    @property
    def jwks(self) -> str:
        return json.dumps({"keys": [self.key.as_dict(private=False)]})

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(datetime.now(UTC).timestamp())
        whole = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "learner-1",
            "client_id": "web",
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "scope": "content:read",
            "roles": ["learner"],
        }
        return {key: value for key, value in {**whole, **changed}.items() if value is not None}

    def token(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        whole = {"alg": "ES256", "typ": "at+jwt", "kid": "key-1", **(header or {})}
        used = {key: value for key, value in whole.items() if value is not None}
        return jwt.encode(used, self.claims(**claims), self.key, algorithms=["ES256"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Upstream:
    """A uvicorn process running tests/upstream.py."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.process = process

    @classmethod
    async def start(cls) -> "Upstream":
        port = free_port()
        arguments = (
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--log-level",
            "error",
            "--timeout-keep-alive",
            "75",
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uvicorn", "services.api_gateway.tests.upstream:app", *arguments
        )
        await until(lambda: listens(port))
        return cls(port, process)

    async def stop(self) -> None:
        """Finish what is in hand and go, as a pod does."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
        return True
    return False


@dataclass
class Rig:
    """A running gateway."""

    gateway: Gateway
    source: DrivenSource
    issuer: Issuer
    port: int
    folder: Path
    http: httpx.AsyncClient
    task: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def live(self, seconds: float = 5.0) -> None:
        """Wait until the newest snapshot is what Envoy runs."""
        await until(lambda: self.gateway.status.applied.snapshot == self.source.snapshot, seconds)

    async def raw(
        self, target: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1"
    ) -> tuple[int, dict[str, str], bytes]:
        """A request byte for byte: no client library tidies the path up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"{method} {target} {version}", "Host: localhost", "Connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        await writer.drain()
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
        answered = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(answered.get("content-length", 0)))
        writer.close()
        await writer.wait_closed()
        return int(first.split(" ")[1]), answered, body


@contextlib.asynccontextmanager
async def running(
    snapshot: Snapshot = EMPTY,
    draining: Draining = QUICK,
    builder: Builder = build,
    issuer: Issuer | None = None,
    **options: Any,
) -> AsyncIterator[Rig]:
    """A gateway that has taken ``snapshot``."""
    issuer, source, port = issuer or Issuer.new(), DrivenSource(snapshot), free_port()
    folder = Path(tempfile.mkdtemp(prefix="gateway-"))
    settled = Options(**{
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "keys": Keys(inline=issuer.jwks),
        "folder": folder,
        "page_needs_operator": False,
        "listen_address": "127.0.0.1",
        "listen_port": port,
        "control_port": free_port(),
        "max_body_bytes": 100_000,
        **options,
    })  # fmt: skip
    gateway = Gateway(settled, source, SystemClock(), concurrency=1, draining=draining, builder=builder)
    task = asyncio.create_task(gateway.run())
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=20, verify=authorities()
        ) as http:
            rig = Rig(gateway, source, issuer, port, folder, http, task)
            await until(lambda: gateway.status.live or task.done())
            yield rig
    finally:
        await gateway.stop()
        with contextlib.suppress(ExceptionGroup):
            await task
        shutil.rmtree(folder)
