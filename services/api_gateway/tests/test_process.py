"""The whole process, as Kubernetes starts and ends it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.api_gateway.app import create_app
from services.api_gateway.cluster.api import NoAccount, PodAccount
from services.api_gateway.settings import Settings
from services.api_gateway.tests.rig import AUDIENCE, ISSUER, Issuer, eventually, free_port, listens, until
from suuupra.settings import SettingsError, example, load
from suuupra.trust import authorities


@dataclass(frozen=True)
class Process:
    """``python -m suuupra serve api-gateway``."""

    child: asyncio.subprocess.Process
    edge: int
    ops: int

    async def asks(self, port: int, path: str) -> httpx.Response | None:
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient(verify=authorities()) as http:
                return await http.get(f"http://127.0.0.1:{port}{path}")
        return None

    async def alive(self) -> bool:
        answer = await self.asks(self.ops, "/livez")
        return answer is not None and answer.status_code == 200


def account_in(folder: Path) -> Path:
    """What the kubelet mounts into a pod, of a cluster that is not there."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "token").write_text("token-of-the-test")
    (folder / "namespace").write_text("suuupra\n")
    return folder


def environment(folder: Path, **changed: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "SUUUPRA_SERVICE": "api-gateway",
        "SUUUPRA_ISSUER": ISSUER,
        "SUUUPRA_AUDIENCE": AUDIENCE,
        "SUUUPRA_JWKS": Issuer.new().jwks,
        "SUUUPRA_HTTP_PORT": str(free_port()),
        "SUUUPRA_OPS_PORT": str(free_port()),
        "SUUUPRA_DRAIN_SECONDS": "0.2",
        "GATEWAY_CONTROL_PORT": str(free_port()),
        "GATEWAY_FOLDER": str(folder / "files"),
        "GATEWAY_ACCOUNT": str(account_in(folder)),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(free_port()),
        **changed,
    }


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Process]:
    variables = environment(folder)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "suuupra",
        "serve",
        "api-gateway",
        env=variables,
        stdout=asyncio.subprocess.DEVNULL,
    )
    process = Process(child, int(variables["SUUUPRA_HTTP_PORT"]), int(variables["SUUUPRA_OPS_PORT"]))
    try:
        await eventually(process.alive, seconds=30)
        await until(lambda: listens(process.edge))
        yield process
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def test_without_an_api_server_it_lives_is_not_ready_says_why_and_ends_in_order(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        ready = await process.asks(process.ops, "/readyz")
        page = await process.asks(process.edge, "/gateway")
        assert ready is not None
        assert ready.status_code == 503
        assert "the API server cannot be reached" in ready.text
        assert page is not None
        assert "No configuration is live yet" in page.text
        process.child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.child.wait(), 20) == 0
        assert not listens(process.edge)


async def test_killed_it_leaves_no_envoy_behind(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        process.child.kill()
        await process.child.wait()
        await until(lambda: not listens(process.edge))


def test_envoy_has_the_pods_port_and_the_control_plane_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment(tmp_path, SUUUPRA_HTTP_PORT="8000").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GATEWAY_CONTROL_PORT")
    settings = load(Settings)
    assert (settings.listen_host, settings.listen_port) == ("0.0.0.0", 8000)
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8001)


def test_a_wrong_knob_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in environment(tmp_path, GATEWAY_TRUSTED_HOPS="many").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="GATEWAY_TRUSTED_HOPS"):
        load(Settings)


def test_a_pod_without_an_account_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoAccount, match="automountServiceAccountToken"):
        PodAccount("10.96.0.1", 443, tmp_path).place()


def test_the_token_is_read_anew_each_time(tmp_path: Path) -> None:
    place = PodAccount("fd00::1", 443, account_in(tmp_path)).place()
    (tmp_path / "token").write_text("renewed\n")
    assert place.access.token() == "renewed"
    assert place.access.url == "https://[fd00::1]:443"
    assert place.namespace == "suuupra"


def test_its_api_can_be_described_without_a_cluster() -> None:
    described = create_app(example(Settings, service="api-gateway")).openapi()
    assert list(described["paths"]) == ["/gateway/routes.json"]
