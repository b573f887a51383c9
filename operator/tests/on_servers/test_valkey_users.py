"""A user per resource in Valkey: it reaches what is its own; changed by hand it is put right; it goes with what it kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from suuupra_operator.desired import keyspace
from suuupra_operator.desired.subject import Subject
from suuupra_operator.errors import Unreachable
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.valkey import Administrator, Valkey
from suuupra_operator.writes import Gate

from services.api_gateway.domain.gcra import MICROSECONDS, Keyed, Share
from services.api_gateway.store import Counters
from suuupra.testing.containers import docker, free_port, image_of, listens
from suuupra.testing.valkey import PASSWORD, ValkeyServer

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="function")]
OWN = "own-password"


class _Holder:
    """Holds the Lease."""

    def check(self) -> None: ...

    async def confirm(self) -> None: ...


def resource() -> Subject:
    """One that no other test has."""
    name = f"shop-{uuid4().hex[:8]}"
    return Subject("suuupra", name, "uid-1", SuuupraServiceSpec(cache=True), SuuupraPlatformSpec())


@pytest_asyncio.fixture
async def operator(valkey: ValkeyServer) -> AsyncIterator[Valkey]:
    found = Valkey(Gate(_Holder()))
    await found.configure(Administrator("127.0.0.1", valkey.container.port, PASSWORD))
    assert await found.refresh(), found.problem
    yield found
    await found.close()


@pytest.fixture
def administrator(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


def pod(valkey: ValkeyServer, subject: Subject) -> redis.Redis:
    """As the resource's pods are."""
    name, port, once = keyspace.user_name(subject), valkey.container.port, Retry(NoBackoff(), 0)
    return redis.Redis(host="127.0.0.1", port=port, username=name, password=OWN, retry=once)


def _listening(port: int) -> None:
    deadline = time.monotonic() + 30
    while not listens(port):
        assert time.monotonic() < deadline


async def made(operator: Valkey) -> Subject:
    subject = resource()
    await operator.put_user(keyspace.user_name(subject), keyspace.user(subject, OWN))
    return subject


async def test_a_user_is_read_back_as_it_was_wanted_or_it_would_be_written_for_ever(operator: Valkey) -> None:
    subject = await made(operator)
    assert operator.known()[keyspace.user_name(subject)] == keyspace.user(subject, OWN)
    await operator.refresh()
    assert operator.known()[keyspace.user_name(subject)] == keyspace.user(subject, OWN)


async def test_a_pod_reaches_its_own_keys_and_channels_and_no_others(
    valkey: ValkeyServer, operator: Valkey, administrator: redis.Redis
) -> None:
    one, other = await made(operator), await made(operator)
    own, foreign = f"{keyspace.prefix(one)}a", f"{keyspace.prefix(other)}a"
    administrator.set(foreign, "theirs")
    with pod(valkey, one) as client:
        assert client.set(own, "mine", ex=60)
        assert client.publish(own, "told") == 0
        refused = (
            *(("GET", foreign), ("SET", foreign, "x"), ("DEL", foreign), ("COPY", own, foreign)),
            *(("PUBLISH", foreign, "x"), ("EVAL", "return redis.call('get', ARGV[1])", "0", foreign)),
            *(("SCAN", "0"), ("KEYS", "*"), ("RANDOMKEY",), ("DBSIZE",), ("FLUSHALL",), ("INFO",)),
            *(("CONFIG", "GET", "*"), ("ACL", "LIST"), ("SCRIPT", "FLUSH"), ("CLIENT", "LIST"), ("MONITOR",)),
        )
        for command in refused:
            with pytest.raises(redis.ResponseError, match=r"(?i)no permission"):
                client.execute_command(*command)
    assert administrator.get(foreign) == "theirs"


async def test_the_gateway_counts_as_its_own_user_and_below_its_own_prefix(
    valkey: ValkeyServer, operator: Valkey, administrator: redis.Redis
) -> None:
    subject = await made(operator)
    name = keyspace.user_name(subject)
    url = f"redis://{name}:{OWN}@127.0.0.1:{valkey.container.port}/0"
    counters = Counters(url, keyspace.prefix(subject))
    try:
        bucket = Share(None, 5, MICROSECONDS)
        verdict = await counters.take([Keyed("a-caller", bucket), Keyed("a-client", bucket)])
        assert (verdict.admitted, [one.remaining for one in verdict.left]) == (True, [4, 4])
    finally:
        await counters.close()
    assert administrator.exists(f"{keyspace.prefix(subject)}a-caller")


@pytest.mark.parametrize(
    "change",
    [
        ("~*",),
        ("+@all",),
        ("allchannels",),
        (">another password",),
        ("nopass",),
        ("off",),
        ("-get",),
        ("(+@all ~*)",),
        ("resetkeys",),
    ],
    ids=lambda words: words[0],
)
async def test_o1_a_user_that_was_changed_by_hand_differs_and_is_made_exactly_as_it_was(
    operator: Valkey, administrator: redis.Redis, change: tuple[str, ...]
) -> None:
    subject = await made(operator)
    name, wanted = keyspace.user_name(subject), keyspace.user(subject, OWN)
    before = administrator.acl_getuser(name)
    administrator.execute_command("ACL SETUSER", name, *change)  # type: ignore[no-untyped-call]  # not typed there

    await operator.refresh()
    assert operator.known()[name] != wanted
    await operator.put_user(name, wanted)

    assert operator.known()[name] == wanted
    assert administrator.acl_getuser(name) == before


async def test_o8_a_user_goes_with_its_connections_and_with_what_it_kept(
    valkey: ValkeyServer, operator: Valkey, administrator: redis.Redis
) -> None:
    subject, neighbour = await made(operator), await made(operator)
    name = keyspace.user_name(subject)
    administrator.set(f"{keyspace.prefix(neighbour)}a", "1")
    with pod(valkey, subject) as client:
        for number in range(1200):
            client.set(f"{keyspace.prefix(subject)}{number}", "1")
        await operator.delete_user(name)
        await operator.delete_below(keyspace.prefix(subject))
        with pytest.raises(redis.ConnectionError):
            client.ping()
    assert name not in operator.known()
    assert [*administrator.scan_iter(f"{keyspace.prefix(subject)}*")] == []
    assert administrator.get(f"{keyspace.prefix(neighbour)}a") == "1"
    await operator.delete_user(name)  # once more does no harm


async def test_a_wrong_password_of_the_administrator_is_said_and_not_taken_for_silence(
    valkey: ValkeyServer,
) -> None:
    refused = Valkey(Gate(_Holder()))
    await refused.configure(Administrator("127.0.0.1", valkey.container.port, "wrong"))
    assert not await refused.refresh()
    assert "Valkey refused the administrator" in refused.problem
    with pytest.raises(Unreachable, match="refused the administrator"):
        refused.known()
    await refused.close()


async def test_a_server_without_a_file_for_users_has_them_until_it_restarts() -> None:
    """As a managed one: the operator's next read misses them."""
    port = free_port()
    given = ("--entrypoint", "valkey-server", "--tmpfs", "/tmp", "--publish", f"127.0.0.1:{port}:6379")
    bare = docker("run", "--detach", "--rm", *given, image_of("valkey"), "--requirepass", PASSWORD)
    found, subject = Valkey(Gate(_Holder())), resource()
    try:
        await asyncio.to_thread(_listening, port)
        await found.configure(Administrator("127.0.0.1", port, PASSWORD))
        await found.put_user(keyspace.user_name(subject), keyspace.user(subject, OWN))
        assert found.known()[keyspace.user_name(subject)] == keyspace.user(subject, OWN)
    finally:
        await found.close()
        docker("kill", bare)
