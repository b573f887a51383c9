"""When keys are published and when they sign: nobody ever meets a token whose key he could not have seen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.domain import jwts, keys
from services.identity.domain.jwts import NotOurs
from services.identity.domain.keys import KEPT, LEAD, LINGER, Ring

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = timedelta(days=90)


def kids(ring: Ring, now: datetime) -> list[str]:
    return [key.kid for key in ring.published(now)]


def test_the_first_key_signs_at_once() -> None:
    ring = keys.first(NOW)
    assert ring.signing(NOW) is ring.keys[0]
    assert kids(ring, NOW) == [ring.keys[0].kid]


def test_a_new_key_is_published_before_it_signs_and_the_old_one_after_it_signed() -> None:
    ring = keys.first(NOW).rotated(NOW)
    old, new = ring.keys
    assert ring.signing(NOW + LEAD - timedelta(seconds=1)) is old
    assert ring.signing(NOW + LEAD) is new
    assert kids(ring, NOW) == [old.kid, new.kid]
    assert kids(ring, NOW + LEAD + LINGER - timedelta(seconds=1)) == [old.kid, new.kid]
    assert kids(ring, NOW + LEAD + LINGER) == [new.kid]


def test_an_old_key_is_remembered_for_logouts_and_then_forgotten() -> None:
    ring = keys.first(NOW).rotated(NOW)
    old = ring.keys[0]
    assert ring.find(old.kid, NOW + timedelta(days=1)) is None
    assert ring.remembered(old.kid) is old
    assert old in ring.rotated(NOW + timedelta(days=1)).keys
    assert old not in ring.rotated(NOW + LEAD + KEPT).keys


def test_a_key_that_is_known_to_others_is_forgotten_at_once() -> None:
    ring = keys.first(NOW).rotated(NOW)
    renewed = ring.rotated(NOW, at_once=True)
    assert len(renewed.keys) == 1
    assert renewed.signing(NOW).kid not in {key.kid for key in ring.keys}


def test_a_key_is_replaced_when_it_is_old() -> None:
    ring = keys.first(NOW)
    assert not ring.due(NOW + LIFE - timedelta(seconds=1), LIFE)
    assert ring.due(NOW + LIFE, LIFE)
    assert not ring.rotated(NOW + LIFE).due(NOW + LIFE, LIFE)


def test_what_is_stored_is_read_again_and_never_shown() -> None:
    ring = keys.first(NOW).rotated(NOW)
    again = keys.load(ring.stored())
    assert [(it.kid, it.made_at, it.signs_from) for it in again.keys] == [
        (it.kid, it.made_at, it.signs_from) for it in ring.keys
    ]
    private = ring.keys[0].key.as_dict(private=True)["d"]
    assert str(private) not in repr(ring)
    assert "d" not in ring.jwks(NOW)["keys"][0]


@pytest.mark.parametrize(
    "stored", [{}, {"keys": "["}, {"keys": "[{}]"}, {"keys": '[{"key": {"kty": "EC"}}]'}]
)
def test_what_cannot_be_read_is_refused_without_a_word_of_it(stored: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^the stored signing keys cannot be read$"):
        keys.load(stored)


@given(
    st.lists(st.integers(min_value=60, max_value=100_000), min_size=1, max_size=5),
    st.integers(min_value=0, max_value=500_000),
    st.integers(min_value=0, max_value=900),
    st.integers(min_value=0, max_value=900),
)
def test_no_token_is_signed_with_a_key_unseen_or_unpublished_while_it_is_good(
    pauses: list[int], signed_after: int, copy_age: int, read_after: int
) -> None:
    """Rotations at any pace; a copy of the set up to 15 minutes old; a token read within its longest life."""
    versions = [(NOW - timedelta(days=1), keys.first(NOW - timedelta(days=1)))]
    at = NOW
    for pause in pauses:
        versions.append((at, versions[-1][1].rotated(at)))
        at += timedelta(seconds=pause)

    def ring_at(moment: datetime) -> Ring:
        return [ring for since, ring in versions if since <= moment][-1]

    signed = NOW + timedelta(seconds=signed_after)
    read = signed + timedelta(seconds=read_after)
    copied = read - timedelta(seconds=min(copy_age, 899))
    kid = ring_at(signed).signing(signed).kid
    assert ring_at(copied).find(kid, copied) is not None


def test_a_token_of_another_type_or_key_is_not_ours() -> None:
    ring, other = keys.first(NOW), keys.first(NOW)
    token = jwts.sign(ring.keys[0], {"sub": "x"}, jwts.ACCESS)
    assert jwts.read(token, ring.remembered, jwts.ACCESS) == {"sub": "x"}
    with pytest.raises(NotOurs):
        jwts.read(token, ring.remembered, jwts.ID)
    with pytest.raises(NotOurs):
        jwts.read(token, other.remembered, jwts.ACCESS)
    with pytest.raises(NotOurs):
        jwts.read(token, lambda kid: other.keys[0], jwts.ACCESS)
