"""Our keys: made once, by whoever comes first; kept in OpenBao; needed, but never read twice."""

import asyncio

import pytest

from services.payments.clients.keys import PATH, Keys, SealBroken, new_ring, ring_of, text_of
from suuupra.secrets_store import SecretsStore, SecretsUnavailable
from suuupra.testing.secrets import MemorySecrets


async def test_of_several_processes_one_makes_the_keys_and_all_have_the_same(
    secrets: SecretsStore, secrets_kept: MemorySecrets
) -> None:
    rings = await asyncio.gather(*(Keys(secrets).ring() for _ in range(5)))
    assert len({ring.signing.thumbprint() for ring in rings}) == 1
    assert len({ring.sealing.raw_value for ring in rings}) == 1
    assert secrets_kept.kept[PATH].version == 1


async def test_what_was_read_once_is_kept_while_openbao_is_away(
    secrets: SecretsStore, secrets_kept: MemorySecrets
) -> None:
    keys, late = Keys(secrets), Keys(secrets)
    first = await keys.ring()
    secrets_kept.away = True
    assert await keys.ring() is first
    await keys.check()
    with pytest.raises(SecretsUnavailable):
        await late.check()


def test_keys_are_read_back_as_they_were_kept() -> None:
    ring = new_ring()
    again = ring_of(dict(text_of(ring)))
    assert again.signing.thumbprint() == ring.signing.thumbprint()
    assert again.unseal(ring.seal("whsec_x")) == "whsec_x"


def test_what_was_sealed_says_nothing_and_opens_with_no_other_key() -> None:
    sealed = new_ring().seal("whsec_very-secret")
    assert "secret" not in sealed
    with pytest.raises(SealBroken):
        new_ring().unseal(sealed)
    with pytest.raises(SealBroken):
        new_ring().unseal("not sealed at all")
