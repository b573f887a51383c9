"""The Valkey image."""

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from images.tests.servers import Launch, Server

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    options = ("--env", "VALKEY_PASSWORD=secret", "--env", "VALKEY_SET_MAXMEMORY=48mb")
    return launch("valkey", 6379, *options, ready=("ready",))


def client(server: Server, password: str | None = "secret") -> redis.Redis:
    at_once = Retry(NoBackoff(), 0)  # a refusal stays one, however often it is asked for
    return redis.Redis(
        host="127.0.0.1", port=server.port, password=password, single_connection_client=True, retry=at_once
    )


@pytest.mark.parametrize("password", [None, "wrong"])
def test_client_without_the_password_is_refused(server: Server, password: str | None) -> None:
    with pytest.raises(redis.AuthenticationError), client(server, password) as refused:
        refused.ping()


def test_settings_are_the_image_s_and_the_environment_s(server: Server) -> None:
    with client(server) as cache:
        assert cache.config_get("maxmemory")["maxmemory"] == str(48 * 1024 * 1024)
        assert cache.config_get("maxmemory-policy")["maxmemory-policy"] == "volatile-lru"


def test_counter_survives_a_kill(server: Server) -> None:
    with client(server) as cache:
        for _ in range(7):
            cache.incr("kept")
    server.kill_and_start()
    with client(server) as cache:
        assert cache.get("kept") == b"7"


def test_a_user_that_was_saved_outlives_a_kill_and_so_does_the_administrator(server: Server) -> None:
    with client(server) as cache:
        cache.execute_command("ACL SETUSER", "shop", "on", ">of the shop", "~shop:*", "+@read", "+@write")
        assert cache.execute_command("ACL SAVE") is True
    server.kill_and_start()
    at_once = Retry(NoBackoff(), 0)
    with redis.Redis(
        host="127.0.0.1", port=server.port, username="shop", password="of the shop", retry=at_once
    ) as shop:
        assert shop.set("shop:a", "1")
        with pytest.raises(redis.exceptions.NoPermissionError):
            shop.set("other", "1")
    with client(server) as cache:
        assert cache.acl_users() == ["default", "shop"]


def test_stop_is_clean(server: Server) -> None:
    assert server.stop() == 0
    assert "bye bye" in server.log()


def test_without_a_password_it_says_what_to_do(launch: Launch) -> None:
    server = launch("valkey", 6379, wait=False)
    assert server.exit_code() == 78
    assert "mount it at /run/secrets/valkey/password or set VALKEY_PASSWORD" in server.log()
