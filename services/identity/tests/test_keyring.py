"""The keys of a running process, and what becomes of them while the secret store is away."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.identity.domain.keys import LEAD
from services.identity.usecases import keyring
from services.identity.usecases.keyring import PAUSE_SECONDS, REFRESH_SECONDS, KeyRing
from suuupra.clock import FakeClock
from suuupra.errors import Unavailable
from suuupra.jwks import KeysUnavailable
from suuupra.secrets_store import SecretsStore
from suuupra.testing.secrets import MemorySecrets
from suuupra.testing.waiting import until

LIFE = timedelta(days=90)
PATH = "identity/signing-keys"


@pytest.fixture
def make(secrets: SecretsStore, clock: FakeClock) -> Callable[[], KeyRing]:
    return lambda: KeyRing(secrets, "identity", clock, life=LIFE)


async def test_pods_that_start_together_agree_on_one_key(make: Callable[[], KeyRing]) -> None:
    rings = [make() for _ in range(4)]
    await asyncio.gather(*(ring.open() for ring in rings))
    kids = {tuple(key.kid for key in (await ring.current()).keys) for ring in rings}
    assert len(kids) == 1


async def test_a_rotation_is_seen_by_running_pods_before_the_key_signs(
    make: Callable[[], KeyRing], secrets: SecretsStore, clock: FakeClock
) -> None:
    ring = make()
    await ring.open()
    old = (await ring.current()).signing(clock.now())
    await keyring.rotate(secrets, PATH, clock.now())
    clock.advance(REFRESH_SECONDS)

    async def two_are_published() -> bool:
        return len((await ring.current()).published(clock.now())) == 2

    await until(two_are_published)
    assert (await ring.current()).signing(clock.now()).kid == old.kid
    clock.advance(LEAD)
    assert (await ring.current()).signing(clock.now()).kid != old.kid
    assert await ring.find(old.kid) is not None


async def test_an_old_key_is_replaced_by_itself_once_however_many_pods_run(
    make: Callable[[], KeyRing], clock: FakeClock, secrets_kept: MemorySecrets
) -> None:
    rings = [make() for _ in range(3)]
    for ring in rings:
        await ring.open()
    clock.advance(LIFE)

    async def each_has_two() -> bool:
        return all([len((await ring.current()).keys) == 2 for ring in rings])

    await until(each_has_two)
    assert secrets_kept.kept[PATH].version == 2


async def test_while_the_store_is_away_running_pods_keep_their_keys_and_new_ones_are_not_ready(
    make: Callable[[], KeyRing], clock: FakeClock, secrets_kept: MemorySecrets
) -> None:
    running, starting = make(), make()
    await running.open()
    secrets_kept.away = True
    await starting.open()
    clock.advance(REFRESH_SECONDS * 100)
    await running.check()
    assert (await running.current()).keys
    with pytest.raises(Unavailable):
        await starting.check()
    with pytest.raises(KeysUnavailable):
        await starting.find("x")
    secrets_kept.away = False
    clock.advance(PAUSE_SECONDS)
    await starting.check()
    for ring in (running, starting):
        await ring.close()


async def test_keys_that_cannot_be_read_are_not_replaced(
    make: Callable[[], KeyRing], secrets: SecretsStore, secrets_kept: MemorySecrets
) -> None:
    await secrets.write(PATH, {"keys": "damaged"})
    ring = make()
    await ring.open()
    with pytest.raises(Unavailable):
        await ring.check()
    assert secrets_kept.kept[PATH].data == {"keys": "damaged"}
