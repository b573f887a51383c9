"""The issuer's keys: found, refreshed, withdrawn, and never asked for more often than needed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from suuupra import jwks
from suuupra.clock import FakeClock


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}'],
)
def test_text_that_is_no_set_of_public_keys_is_refused(text: str) -> None:
    with pytest.raises(jwks.InvalidKeys):
        jwks.parse(text)


class Published:
    """An issuer's key set, served in memory, which counts how often it is asked."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.up = True

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if not self.up:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})

    def fetched_by(self, clock: FakeClock) -> jwks.PublishedKeys:
        return jwks.PublishedKeys("http://issuer.test/jwks", clock, transport=httpx.MockTransport(self))


def _key() -> ECKey:
    return ECKey.generate_key("P-256", auto_kid=True)


async def test_unknown_key_id_makes_the_key_set_be_read_again(clock: FakeClock) -> None:
    old, rotated = _key(), _key()
    published = Published(old)
    keys = published.fetched_by(clock)
    await keys.open()
    published.keys.append(rotated)
    clock.advance(jwks.PAUSE_SECONDS)
    assert await keys.find(str(rotated.kid)) is not None
    await keys.close()


async def test_made_up_key_ids_do_not_become_requests(clock: FakeClock) -> None:
    published = Published(_key())
    keys = published.fetched_by(clock)
    await keys.open()
    clock.advance(jwks.PAUSE_SECONDS)
    for number in range(50):
        assert await keys.find(f"made-up-{number}") is None
    assert published.asked == 2
    await keys.close()


async def test_known_keys_are_used_while_the_issuer_is_away(clock: FakeClock) -> None:
    key = _key()
    published = Published(key)
    keys = published.fetched_by(clock)
    await keys.open()
    published.up = False
    clock.advance(jwks.REFRESH_SECONDS * 10)
    assert await keys.find(str(key.kid)) is not None
    await keys.close()


async def test_without_any_key_ever_the_caller_is_told_to_come_back(clock: FakeClock) -> None:
    published = Published(_key())
    published.up = False
    keys = published.fetched_by(clock)
    await keys.open()
    with pytest.raises(jwks.KeysUnavailable):
        await keys.find("any")
    await keys.close()


async def test_withdrawn_key_stops_being_found_after_a_refresh(clock: FakeClock) -> None:
    old, kept = _key(), _key()
    published = Published(old, kept)
    keys = published.fetched_by(clock)
    await keys.open()
    published.keys.remove(old)
    clock.advance(jwks.REFRESH_SECONDS)
    await keys.find(str(kept.kid))  # starts the refresh behind the scenes
    await keys.find("unknown")  # joins it
    assert await keys.find(str(old.kid)) is None
    await keys.close()
