"""A pod deleted by force may be replaced while it still dies: its volume never has two servers."""

import pytest

from images.tests.servers import Launch
from suuupra.testing.containers import docker

pytestmark = pytest.mark.integration

SERVERS = {
    "postgres": (
        5432,
        ("--tmpfs", "/run/postgresql:uid=65532", "--env", "POSTGRES_PASSWORD=x"),
        "pg_isready",
    ),
    "kafka": (9092, ("--env", "KAFKA_ADVERTISED=127.0.0.1:{port}"), "ready"),
    "valkey": (6379, ("--env", "VALKEY_PASSWORD=x"), "ready"),
    "seaweedfs": (8333, ("--env", "OBJECTS_ACCESS_KEY=x", "--env", "OBJECTS_SECRET_KEY=x"), "ready"),
    "openbao": (
        8200,
        ("--env", f"OPENBAO_SEAL_KEY={'A' * 43}=", "--env", "OPENBAO_PASSWORD=xxxxxxxx"),
        "ready",
    ),
}


@pytest.mark.parametrize("image", SERVERS)
def test_second_server_waits_until_the_first_is_gone(launch: Launch, image: str) -> None:
    port, options, ready = SERVERS[image]
    first = launch(image, port, *options, ready=(ready,))
    second = launch(image, port, *options, "--volumes-from", first.id, ready=(ready,), wait=False)
    assert second.says("another server still has /data"), second.log()
    assert second.run(ready).returncode != 0
    docker("kill", "--signal", "KILL", first.id)
    second.wait()
