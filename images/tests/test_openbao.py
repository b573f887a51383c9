"""The OpenBao image: it prepares and unseals itself, and keeps what it was given."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from os import urandom

import httpx
import pytest

from images.tests.servers import Launch, Server
from suuupra.testing.containers import docker

pytestmark = pytest.mark.integration

PASSWORD = "apasswordoftheoperator"
KEY = (
    "--env",
    f"OPENBAO_SEAL_KEY={b64encode(bytes(range(32))).decode()}",
    "--env",
    f"OPENBAO_PASSWORD={PASSWORD}",
)
POLICY = {"policy": 'path "suuupra/data/shop/*" { capabilities = ["read"] }'}


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    return launch("openbao", 8200, *KEY, ready=("ready",))


@contextmanager
def operator(server: Server) -> Iterator[httpx.Client]:
    """A client that is logged in as the operator logs in."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/v1/", trust_env=False) as made:
        answer = made.post("auth/userpass/login/operator", json={"password": PASSWORD}).raise_for_status()
        made.headers["x-vault-token"] = answer.json()["auth"]["client_token"]
        yield made


def lets_the_operator_in(server: Server) -> bool:
    with operator(server) as asking:
        return asking.get("auth/token/lookup-self").status_code in (200, 403)


def test_the_operator_may_provision_and_reads_no_secret(server: Server) -> None:
    with operator(server) as asking:
        assert asking.put("sys/policies/acl/suuupra-shop", json=POLICY).status_code == 204
        assert asking.get("suuupra/data/shop/key").status_code == 403
        assert asking.put("sys/policies/acl/other", json=POLICY).status_code == 403
        assert asking.post("sys/mounts/mine", json={"type": "kv"}).status_code == 403


def test_nobody_is_answered_without_a_token(server: Server) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/v1/", trust_env=False) as anonymous:
        assert anonymous.get("suuupra/data/shop/key").status_code == 403
        refused = anonymous.post("auth/userpass/login/operator", json={"password": "wrong"})
        assert refused.status_code in (400, 403)


@pytest.mark.parametrize("how", ["restart", "kill_and_start"])
def test_what_it_was_given_outlives_it_and_it_unseals_itself(server: Server, how: str) -> None:
    with operator(server) as asking:
        asking.put(f"sys/policies/acl/suuupra-{how.replace('_', '-')}", json=POLICY).raise_for_status()
    getattr(server, how)()
    with operator(server) as asking:
        found = asking.get(f"sys/policies/acl/suuupra-{how.replace('_', '-')}").raise_for_status()
        assert found.json()["data"]["policy"] == POLICY["policy"]


def test_wrong_passwords_do_not_lock_the_operator_out(server: Server) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/v1/", trust_env=False) as anonymous:
        for _ in range(10):
            anonymous.post("auth/userpass/login/operator", json={"password": "wrong"})
    assert lets_the_operator_in(server)


def test_a_first_start_that_was_interrupted_begins_again(launch: Launch) -> None:
    server = launch("openbao", 8200, *KEY, ready=("ready",), wait=False)
    docker("kill", "--signal", "KILL", server.id)
    docker("start", server.id)
    server.wait()
    assert lets_the_operator_in(server)


def test_it_is_not_opened_with_another_key(launch: Launch) -> None:
    first = launch("openbao", 8200, *KEY, ready=("ready",))
    first.stop()
    other = (
        "--env",
        f"OPENBAO_SEAL_KEY={b64encode(urandom(32)).decode()}",
        "--env",
        f"OPENBAO_PASSWORD={PASSWORD}",
    )
    second = launch("openbao", 8200, *other, "--volumes-from", first.id, ready=("ready",), wait=False)
    assert second.says("failed to unseal core"), second.log()
    assert second.run("ready").returncode != 0


def test_stop_is_clean(server: Server) -> None:
    assert server.stop() == 0


def test_without_its_secrets_it_says_what_to_do(launch: Launch) -> None:
    server = launch("openbao", 8200, wait=False)
    assert server.exit_code() == 78
    assert "mount /run/secrets/openbao/seal/key" in server.log()
