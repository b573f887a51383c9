"""The gateway's list and watch against a real API server: followed at once, and through everything that breaks."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import yaml

from services.api_gateway.cluster.api import Access, Place
from services.api_gateway.cluster.source import ClusterSource
from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.domain.table import decide
from suuupra.clock import SystemClock

from .kube import Kube
from .line import Line

pytestmark = pytest.mark.cluster


@dataclass
class Followed:
    """What a source told, and when."""

    source: ClusterSource
    snapshots: list[Snapshot] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [item.route.path for item in decide(self.snapshots[-1]).served] if self.snapshots else []

    async def until(self, condition: Callable[[], bool], seconds: float = 10) -> float:
        """Seconds it took."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return time.monotonic() - began


@pytest.fixture
def namespace(kube: Kube) -> Iterator[str]:
    """A namespace that no operator looks into."""
    name = f"gateway-watch-{uuid4().hex[:8]}"
    kube.run("create", "namespace", name)
    yield name
    kube.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def line(kube: Kube) -> AsyncIterator[Line]:
    server = urlsplit(_cluster(kube)["server"])
    async with Line(server.hostname or "", server.port or 443).laid() as laid:
        yield laid


@asynccontextmanager
async def following(
    kube: Kube, namespace: str, line: Line, folder: Path, silence: float = 60
) -> AsyncIterator[Followed]:
    access = _access(kube, line, folder)
    source = ClusterSource(lambda: Place(access, namespace), SystemClock(), silence)
    followed = Followed(source)
    task = asyncio.create_task(source.run(followed.snapshots.append))
    try:
        await followed.until(lambda: bool(followed.snapshots))
        yield followed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _config(kube: Kube) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(kube.kubeconfig.read_text())
    return config


def _cluster(kube: Kube) -> dict[str, Any]:
    found: dict[str, Any] = _config(kube)["clusters"][0]["cluster"]
    return found


def _access(kube: Kube, line: Line, folder: Path) -> Access:
    """The kubeconfig's identity, through the line."""
    user = _config(kube)["users"][0]["user"]
    tls = _trusting(kube)
    if "client-certificate-data" in user:
        identity = folder / "identity.pem"
        parts = (user["client-certificate-data"], user["client-key-data"])
        identity.write_bytes(b"".join(base64.b64decode(part) for part in parts))
        tls.load_cert_chain(identity)
    return Access(f"https://127.0.0.1:{line.listening}", tls, lambda: user.get("token"))


def _trusting(kube: Kube) -> ssl.SSLContext:
    cluster = _cluster(kube)
    if data := cluster.get("certificate-authority-data"):
        return ssl.create_default_context(cadata=base64.b64decode(data).decode())
    return ssl.create_default_context(cafile=cluster["certificate-authority"])


def publish(kube: Kube, namespace: str, name: str, *paths: str, accepted: bool = True) -> None:
    """A resource whose status says that its routes are accepted, as the operator would write it."""
    metadata = {"name": name, "namespace": namespace}
    kube.apply(
        {"apiVersion": "suuupra.io/v1alpha1", "kind": "SuuupraService", "metadata": metadata, "spec": {}}
    )
    routes = [
        {
            "path": path,
            "match": "prefix",
            "auth": "none",
            "accepted": accepted,
            "reason": "Test",
            "message": "-",
        }
        for path in paths
    ]
    patch = json.dumps({"status": {"routes": routes}})
    arguments = ("-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
    kube.run("patch", "suuupraservice", name, *arguments)


def endpoint_slice(namespace: str, *ready: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "content-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": "content"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in ready],
    }


async def test_routes_and_endpoints_follow_the_cluster(
    kube: Kube, namespace: str, line: Line, tmp_path: Path
) -> None:
    async with following(kube, namespace, line, tmp_path) as followed:
        assert followed.paths == []
        publish(kube, namespace, "content", "/v1/courses")
        assert await followed.until(lambda: followed.paths == ["/v1/courses"]) < 1

        kube.apply(endpoint_slice(namespace, "10.9.0.1", "10.9.0.2"))
        ready = (Endpoint("10.9.0.1", 8000), Endpoint("10.9.0.2", 8000))
        assert await followed.until(lambda: followed.snapshots[-1].ready("content") == ready) < 1

        publish(kube, namespace, "content", "/v1/courses", accepted=False)
        assert await followed.until(lambda: followed.paths == []) < 1

        kube.delete("suuupraservice", "content", namespace=namespace)
        assert await followed.until(lambda: followed.snapshots[-1].services == ()) < 1


async def test_what_cannot_be_seen_changes_nothing_and_is_caught_up_with(
    kube: Kube, namespace: str, line: Line, tmp_path: Path
) -> None:
    publish(kube, namespace, "content", "/v1/before")
    async with following(kube, namespace, line, tmp_path) as followed:
        line.cut()
        await followed.until(lambda: followed.source.trouble() is not None)
        publish(kube, namespace, "content", "/v1/after")
        assert followed.paths == ["/v1/before"]
        assert "API server" in str(followed.source.trouble())
        line.mend()
        await followed.until(lambda: followed.paths == ["/v1/after"], seconds=15)
        await followed.until(lambda: followed.source.trouble() is None)


async def test_a_silent_watch_is_taken_for_lost(
    kube: Kube, namespace: str, line: Line, tmp_path: Path
) -> None:
    async with following(kube, namespace, line, tmp_path, silence=2) as followed:
        line.silence()
        publish(kube, namespace, "content", "/v1/unheard")
        await followed.until(lambda: followed.source.trouble() is not None)
        assert followed.source.age() > 1
        line.cut()
        line.mend()
        await followed.until(lambda: followed.paths == ["/v1/unheard"], seconds=15)


async def test_a_forgotten_version_is_listed_anew(
    kube: Kube, namespace: str, line: Line, tmp_path: Path
) -> None:
    async with following(kube, namespace, line, tmp_path) as followed:
        for reflector in followed.source.reflectors:
            reflector.version = "1"  # compacted long ago: the API server answers 410
        line.cut()
        publish(kube, namespace, "content", "/v1/relisted")
        line.mend()
        await followed.until(lambda: followed.paths == ["/v1/relisted"], seconds=15)
        assert any(int(reflector.version) > 1 for reflector in followed.source.reflectors)


async def test_an_account_without_rights_is_told_in_words(kube: Kube, namespace: str, line: Line) -> None:
    nobody = Access(f"https://127.0.0.1:{line.listening}", _trusting(kube), lambda: "not-a-token")
    source = ClusterSource(lambda: Place(nobody, namespace), SystemClock())
    task = asyncio.create_task(source.run(lambda snapshot: None))
    await Followed(source).until(lambda: source.trouble() is not None)
    assert "the API server answered 401" in str(source.trouble())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
