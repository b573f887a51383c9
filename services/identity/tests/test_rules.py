"""The decisions, without a server: passwords, addresses, roles, what comes next, what is good once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.identity.domain import authorization, clients, letters, passwords, returning
from services.identity.domain.accounts import (
    API_SCOPES,
    OPENID_SCOPES,
    SCOPE_WORDS,
    Role,
    email_key,
    granted,
    may_have,
    roles_of,
)
from services.identity.domain.authorization import Refused, Session, Step, decide
from services.identity.domain.clients import Client
from services.identity.domain.grants import Code, Grant, RefreshToken, Verdict, judge_code, judge_refresh

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHALLENGE = "x" * 43


# Passwords


@pytest.mark.parametrize(
    "good", ["correct horse battery 9", "नमस्ते दुनिया मित्र", "a1b2c3d4e5", "  leading spaces"]
)
def test_a_long_password_of_any_characters_is_taken(good: str) -> None:
    assert passwords.fault(good, email="asha@example.org", name="Asha") is None


@pytest.mark.parametrize(
    "bad",
    [
        "short",
        "password123",
        "PASSWORD123",
        "aaaaaaaaaaaa",
        "asha@example.org",
        "ashaasha",
        "x" * 257,
        "Asha Rao Devi",
    ],
)
def test_a_password_that_others_would_try_is_not_taken(bad: str) -> None:
    assert passwords.fault(bad, email="asha@example.org", name="asha rao devi") is not None


def test_what_looks_the_same_on_another_keyboard_is_the_same_password() -> None:
    assert passwords.prepared("caf\u00e9 au lait 9") == passwords.prepared("cafe\u0301 au lait 9")


# Clients


@pytest.mark.parametrize(
    "uri",
    [
        "https://a.example/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:99/",
        "http://localhost:8080/session/callback",
    ],
)
def test_an_address_that_only_its_owner_answers_may_be_registered(uri: str) -> None:
    assert clients.redirect_fault(uri) is None


@pytest.mark.parametrize(
    "uri",
    ["http://a.example/cb", "https://a.example/#x", "javascript:alert(1)", "https://u@a.example/", "https:///x", "https://a.example/ x", "//a.example", "https://["],
)  # fmt: skip
def test_other_addresses_may_not_be_registered(uri: str) -> None:
    assert clients.redirect_fault(uri) is not None


def test_only_public_clients_have_a_free_port() -> None:
    registered = ("http://127.0.0.1/cb", "http://[::1]/cb")
    assert clients.redirect_allowed("http://127.0.0.1:5/cb", registered, any_port=True)
    assert clients.redirect_allowed("http://[::1]:5/cb", registered, any_port=True)
    assert not clients.redirect_allowed("http://127.0.0.1:5/cb", registered, any_port=False)
    assert not clients.redirect_allowed("http://127.0.0.1:5/cb?x=1", registered, any_port=True)
    assert not clients.redirect_allowed("http://127.0.0.1:5", registered, any_port=True)


# Roles and scopes


def test_roles_come_in_order_with_learner_and_each_once() -> None:
    assert roles_of(["operator", "creator", "operator"]) == (Role.LEARNER, Role.CREATOR, Role.OPERATOR)
    with pytest.raises(ValueError):
        roles_of(["king"])


def test_scopes_follow_from_roles() -> None:
    assert "content:write" not in may_have((Role.LEARNER,))
    assert {"ledger:read", "payments:refund", "orders:read", "orders:refund"} <= may_have((Role.FINANCE,))
    assert may_have((Role.CREATOR, Role.SUPPORT, Role.FINANCE)) < may_have((Role.OPERATOR,))
    assert granted("openid x content:write openid", may_have((Role.CREATOR,))) == "openid content:write"


def test_every_scope_is_told_in_words_to_whoever_is_asked() -> None:
    assert set(SCOPE_WORDS) == API_SCOPES | set(OPENID_SCOPES)


def test_two_spellings_of_one_address_are_one_address() -> None:
    assert email_key(" Asha@Example.ORG ") == email_key("asha@example.org")


# What comes next

WEB = Client("web", "Web", "confidential", (clients.CODE,), ("https://a.example/cb",), (), ("openid",))
CLI = Client("cli", "Command line", "public", (clients.CODE,), ("https://a.example/cb",), (), ("openid",))


def asked(client: Client = WEB, **values: str) -> authorization.Request:
    whole = {
        "client_id": client.id,
        "redirect_uri": "https://a.example/cb",
        "response_type": "code",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **values,
    }
    return authorization.parse(list(whole.items()), client, "https://a.example/cb")


def session(age: int = 0, fresh_for: bytes | None = None) -> Session:
    return Session(uuid4(), uuid4(), NOW - timedelta(seconds=age), ("pwd",), fresh_for)


def test_whoever_is_not_signed_in_signs_in_or_up() -> None:
    assert decide(asked(), None, NOW) is Step.SIGN_IN
    assert decide(asked(prompt="create"), None, NOW) is Step.SIGN_UP


def test_whoever_is_signed_in_goes_on() -> None:
    assert decide(asked(), session(), NOW) is Step.GRANT
    assert decide(asked(max_age="10"), session(10), NOW) is Step.GRANT


def test_a_session_that_is_too_old_or_not_wanted_is_renewed() -> None:
    assert decide(asked(max_age="10"), session(11), NOW) is Step.SIGN_IN
    for prompt in ("login", "select_account"):
        request = asked(prompt=prompt)
        assert decide(request, session(), NOW) is Step.SIGN_IN
        assert decide(request, session(fresh_for=request.mark), NOW) is Step.GRANT
        assert decide(request, session(fresh_for=b"another request"), NOW) is Step.SIGN_IN


def test_a_public_client_is_confirmed_by_its_user_each_time() -> None:
    assert decide(asked(CLI), session(), NOW) is Step.CONSENT
    assert decide(asked(CLI), session(), NOW, consented=True) is Step.GRANT
    assert decide(asked(prompt="consent"), session(), NOW) is Step.CONSENT


def test_a_silent_request_is_refused_where_somebody_would_be_asked() -> None:
    for client, known, error in ((WEB, None, "login_required"), (CLI, session(), "consent_required")):
        with pytest.raises(Refused) as refused:
            decide(asked(client, prompt="none"), known, NOW)
        assert refused.value.error == error


def test_one_request_has_one_spelling_however_it_was_sent() -> None:
    request = asked(state="a b/é")
    pairs = authorization.parameters(request.query)
    assert authorization.parse(pairs, WEB, "https://a.example/cb").mark == request.mark
    assert returning.checked(returning.to_request(request.query)) == returning.to_request(request.query)


@pytest.mark.parametrize(
    "address",
    ["", None, "/", "https://evil.example/oauth/authorize?x=1", "//evil.example/oauth/authorize?x", "/oauth/authorize", "/oauth/authorize?", "/oauth/authorize?a b", "/oauth/authorize?x\r\nY: z", "/oauth/authorize/../logout?x=1", "/oauth/authorize?" + "x" * 7000, "\\\\evil.example"],
)  # fmt: skip
def test_after_signing_in_nobody_is_sent_elsewhere(address: str | None) -> None:
    assert returning.checked(address) is None


def test_an_answer_joins_the_address_as_it_is() -> None:
    assert (
        authorization.answer("https://a.example/cb", {"code": "x y", "state": None})
        == "https://a.example/cb?code=x+y"
    )
    assert (
        authorization.answer("https://a.example/cb?a=1", {"code": "x"}) == "https://a.example/cb?a=1&code=x"
    )


# What is good once


def grant(**changed: object) -> Grant:
    whole = {
        "id": uuid4(),
        "client_id": "web",
        "account_id": uuid4(),
        "session_id": uuid4(),
        "scope": "openid",
    }
    times = {"auth_time": NOW, "amr": ("pwd",), "created_at": NOW, "expires_at": NOW + timedelta(days=30)}
    return Grant(**{**whole, **times, **changed})  # type: ignore[arg-type]


def code(used_at: datetime | None = None, **changed: object) -> Code:
    return Code(
        b"x", grant(**changed), "https://a.example/cb", None, CHALLENGE, NOW + timedelta(seconds=60), used_at
    )


def test_a_code_is_good_once_and_for_a_minute() -> None:
    assert judge_code(code(), NOW + timedelta(seconds=59)) is Verdict.TAKE
    assert judge_code(code(), NOW + timedelta(seconds=60)) is Verdict.REFUSE
    assert judge_code(code(used_at=NOW), NOW) is Verdict.REVOKE
    assert judge_code(code(revoked_at=NOW), NOW) is Verdict.REFUSE


def refresh(used_at: datetime | None = None, **changed: object) -> RefreshToken:
    return RefreshToken(b"x", grant(**changed), NOW + timedelta(days=30), used_at)


def test_a_refresh_token_is_good_once_and_a_race_is_no_theft() -> None:
    overlap = timedelta(seconds=2)
    assert judge_refresh(refresh(), NOW, overlap) is Verdict.TAKE
    assert judge_refresh(refresh(used_at=NOW), NOW + overlap, overlap) is Verdict.REFUSE
    assert judge_refresh(refresh(used_at=NOW), NOW + overlap * 1.01, overlap) is Verdict.REVOKE
    assert judge_refresh(refresh(revoked_at=NOW), NOW, overlap) is Verdict.REFUSE
    assert judge_refresh(refresh(), NOW + timedelta(days=30), overlap) is Verdict.REFUSE


@pytest.mark.parametrize("kind", [it for it in letters.Kind if it is not letters.Kind.NOBODY])
def test_every_letter_says_what_to_do_and_holds_its_link(kind: letters.Kind) -> None:
    letter = letters.write(kind, name="Asha", site="https://learn.example", link="https://learn.example/x")
    assert "https://learn.example/x" in letter.text
    assert letter.text.startswith("Hello Asha,\n\n")
    assert "\n" not in letter.subject
