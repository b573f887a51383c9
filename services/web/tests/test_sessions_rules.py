"""Sessions without I/O: where a sign-in may lead back to, when tokens are due, and what is stored of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.domain.sessions import IDLE_LIMIT, LONGEST, LONGEST_RETURN, Tokens, lasts_until, way_back
from services.web.usecases import sealing

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TOKENS = Tokens("access", "refresh", NOW + timedelta(minutes=10))


@pytest.mark.parametrize(
    "path", ["/", "/cart", "/checkout/0198c5a4?x=1", "/courses/a%2Fb/lessons/c", "/?q=a+b"]
)
def test_a_sign_in_leads_back_to_a_page_of_ours(path: str) -> None:
    assert way_back(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "cart",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "/%2F/evil.example",
            "/%5Cevil",
        ),
        *("https://evil.example", "javascript:alert(1)", "/\t/evil.example", "/a\r\nSet-Cookie: x=y"),
        *("/session/login?to=/session/login", "/session/logout", "/" + "a" * LONGEST_RETURN, "/\u202egnp"),
    ],
)
def test_a_sign_in_never_leads_elsewhere(path: str) -> None:
    assert way_back(path) == "/"


@given(st.text(max_size=50))
def test_whatever_is_asked_for_the_way_back_is_a_path_of_this_site(path: str) -> None:
    back = way_back(path)
    assert back.startswith("/")
    assert not back.startswith(("//", "/\\"))
    assert back.isprintable()


def test_a_session_ends_when_unused_and_at_its_longest() -> None:
    assert lasts_until(NOW, NOW) == NOW + IDLE_LIMIT
    assert lasts_until(NOW, NOW + LONGEST - timedelta(days=1)) == NOW + LONGEST


def test_tokens_are_due_before_they_are_over() -> None:
    almost = TOKENS.expires_at - timedelta(seconds=30)
    assert (TOKENS.due(NOW), TOKENS.over(NOW)) == (False, False)
    assert (TOKENS.due(almost), TOKENS.over(almost)) == (True, False)
    assert TOKENS.over(TOKENS.expires_at)


def test_what_is_stored_of_a_session_opens_only_with_its_cookie() -> None:
    secret = sealing.new_secret()
    sealed = sealing.seal(TOKENS, secret)
    assert sealing.unseal(sealed, secret) == TOKENS
    assert "access" not in sealed
    assert secret.encode() not in sealing.name_of(secret)
    for other in (sealing.new_secret(), secret[:-1], ""):
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(sealed, other)


@pytest.mark.parametrize("broken", ["", "a.b.c", "....", "x" * 100])
def test_what_is_no_seal_is_unreadable_and_no_fault(broken: str) -> None:
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(broken, sealing.new_secret())
