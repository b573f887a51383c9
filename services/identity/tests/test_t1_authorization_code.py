"""T1: an authorization code reaches nobody but the client it is for, and is good once, for a minute."""

import asyncio
import secrets

import httpx
import pytest

from services.identity.tests.browser import Application, Browser, answered, bearer
from services.identity.tests.conftest import MakeUser
from services.identity.tests.process import Process

pytestmark = pytest.mark.integration


@pytest.fixture
async def email(new_user: MakeUser) -> str:
    return (await new_user(f"{secrets.token_hex(6)}@example.org")).email


@pytest.fixture
async def signed_in(person: Browser, email: str) -> Browser:
    assert (await person.sign_in(email)).status_code == 303
    return person


ADDRESSES = {
    "a query added": "https://shop.example/callback?x=1",
    "a query changed": "https://shop.example/other?fixed=2",
    "a query taken away": "https://shop.example/other",
    "a fragment": "https://shop.example/callback#x",
    "missing": None,
    "empty": "",
    "a slash more": "https://shop.example/callback/",
    "another case": "https://shop.example/Callback",
    "a host in capitals": "https://SHOP.example/callback",
    "a port": "https://shop.example:443/callback",
    "another scheme": "http://shop.example/callback",
    "a subdomain": "https://evil.shop.example/callback",
    "credentials": "https://shop.example@evil.example/callback",
    "a path that climbs": "https://shop.example/x/../callback",
    "an encoded path": "https://shop.example/%63allback",
    "script": "javascript:alert(1)",
    "a line break": "https://shop.example/callback\r\nX: y",
    "another client's": "http://127.0.0.1:45678/callback",
}


@pytest.mark.parametrize("difference", ADDRESSES)
async def test_t1_an_address_that_is_not_registered_exactly_is_never_redirected_to(
    signed_in: Browser, shop: Application, difference: str
) -> None:
    for changed in ({}, {"response_type": "token"}, {"prompt": "none"}, {"code_challenge": None}):
        answer = await signed_in.open(shop.request(redirect_uri=ADDRESSES[difference], **changed))
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "redirect_uri must be one of the addresses registered" in signed_in.text()


async def test_t1_an_address_given_twice_is_never_redirected_to(
    signed_in: Browser, shop: Application
) -> None:
    for more in ("&redirect_uri=https://evil.example", f"&redirect_uri={shop.redirect_uri}"):
        answer = await signed_in.open(shop.request() + more)
        assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize("client_id", [None, "", "nobody", "shop\x00", "a" * 5000, "ह"])
async def test_t1_an_unknown_client_is_never_redirected_to(
    signed_in: Browser, shop: Application, client_id: str | None
) -> None:
    answer = await signed_in.open(shop.request(client_id=client_id))
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_t1_programs_are_told_as_problem_json(outside: httpx.AsyncClient, shop: Application) -> None:
    answer = await outside.get(shop.request(redirect_uri="https://evil.example/"))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "query.redirect_uri"


async def test_t1_a_public_client_may_use_any_port_of_its_own_machine_and_no_other_machine(
    signed_in: Browser, cli: Application
) -> None:
    assert (await signed_in.open(cli.request(redirect_uri="http://127.0.0.1:1/callback"))).status_code == 200
    for other in ("http://localhost:1/callback", "http://127.0.0.2:1/callback", "http://127.0.0.1:1/other"):
        assert (await signed_in.open(cli.request(redirect_uri=other))).status_code == 400


WRONG_REQUESTS: dict[str, tuple[dict[str, str | None], str]] = {
    "no challenge": ({"code_challenge": None}, "invalid_request"),
    "a plain challenge": ({"code_challenge_method": "plain"}, "invalid_request"),
    "no method, which means plain": ({"code_challenge_method": None}, "invalid_request"),
    "no PKCE at all": ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    "a short challenge": ({"code_challenge": "short"}, "invalid_request"),
    "a challenge of odd characters": ({"code_challenge": "=" * 43}, "invalid_request"),
    "another mode": ({"response_mode": "fragment"}, "invalid_request"),
    "a request object": ({"request": "eyJ"}, "request_not_supported"),
    "a request by address": ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
    "a nonce that no column holds": ({"nonce": "\x00"}, "invalid_request"),
    "an odd prompt": ({"prompt": "please"}, "invalid_request"),
    "an odd age": ({"max_age": "-1"}, "invalid_request"),
    "an odd hint": ({"id_token_hint": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request"),
}


@pytest.mark.parametrize("wrong", WRONG_REQUESTS)
async def test_t1_a_wrong_request_gets_an_error_and_no_code(
    signed_in: Browser, shop: Application, wrong: str
) -> None:
    changed, error = WRONG_REQUESTS[wrong]
    given = answered(await signed_in.open(shop.request(**changed)))
    assert given["error"] == error
    assert (given["state"], given["iss"]) == (shop.state, signed_in.origin)
    assert "code" not in given


async def test_t1_a_parameter_given_twice_gets_an_error_and_no_code(
    signed_in: Browser, shop: Application
) -> None:
    given = answered(await signed_in.open(shop.request() + "&scope=openid"))
    assert given["error"] == "invalid_request"


VERIFIERS = {
    "omitted": None,
    "empty": "",
    "wrong": "x" * 64,
    "the challenge itself": "challenge",
    "too short": "x",
    "odd characters": "ü" * 50,
}


@pytest.mark.parametrize("difference", VERIFIERS)
async def test_t1_a_code_is_worth_nothing_without_its_verifier(
    signed_in: Browser, shop: Application, cli: Application, difference: str
) -> None:
    for client in (shop, cli):
        code = await client.code(signed_in)
        verifier = client.challenge if difference == "the challenge itself" else VERIFIERS[difference]
        answer = await client.redeem(code, code_verifier=verifier)
        assert answer.status_code == 400
        assert answer.json()["error"] in ("invalid_grant", "invalid_request")
        assert "access_token" not in answer.text


async def test_t1_a_code_that_comes_again_is_refused_and_its_tokens_are_revoked(
    signed_in: Browser, shop: Application, outside: httpx.AsyncClient
) -> None:
    code = await shop.code(signed_in)
    tokens = (await shop.redeem(code)).json()
    assert await shop.is_active(tokens["access_token"])
    again = await shop.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await shop.is_active(tokens["access_token"])
    assert not await shop.is_active(tokens["refresh_token"])
    assert (await shop.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await outside.get("/oauth/userinfo", headers=bearer(tokens["access_token"]))).status_code == 401


async def test_t1_of_many_requests_with_one_code_at_most_one_gets_tokens(
    signed_in: Browser, shop: Application
) -> None:
    code = await shop.code(signed_in)
    answers = await asyncio.gather(*(shop.redeem(code) for _ in range(8)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} == {200, 400}


async def test_t1_another_client_gets_nothing_for_a_code_and_spoils_nothing(
    signed_in: Browser, shop: Application, web: Application, cli: Application
) -> None:
    code = await shop.code(signed_in)
    for thief in (web, cli):
        answer = await thief.redeem(code, redirect_uri=shop.redirect_uri, code_verifier=shop.verifier)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await shop.redeem(code)).status_code == 200


@pytest.mark.parametrize("redirect_uri", [None, "", "https://shop.example/other?fixed=1"])
async def test_t1_a_code_is_redeemed_with_the_address_it_was_sent_to(
    signed_in: Browser, shop: Application, redirect_uri: str | None
) -> None:
    answer = await shop.redeem(await shop.code(signed_in), redirect_uri=redirect_uri)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_t1_a_code_older_than_a_minute_is_worth_nothing(
    signed_in: Browser, shop: Application, provider: Process
) -> None:
    code, later = await shop.code(signed_in), await shop.code(signed_in)
    provider.advance(50)
    assert (await shop.redeem(code)).status_code == 200
    provider.advance(11)
    assert (await shop.redeem(later)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("code", ["", "made-up", "\x00", "ü", "a" * 10_000])
async def test_t1_a_made_up_code_is_refused(shop: Application, code: str) -> None:
    answer = await shop.redeem(code)
    assert (answer.status_code, answer.json()["error"] in ("invalid_grant", "invalid_request")) == (400, True)


async def test_t1_a_confidential_client_must_authenticate_and_rightly(
    signed_in: Browser, shop: Application, outside: httpx.AsyncClient
) -> None:
    code = await shop.code(signed_in)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": shop.redirect_uri,
        "code_verifier": shop.verifier,
    }
    attempts = [
        {"data": form},
        {"data": {**form, "client_id": "shop"}},
        {"data": {**form, "client_id": "shop", "client_secret": "wrong"}},
        {"data": form, "auth": ("shop", "wrong")},
        {"data": form, "auth": ("nobody", "wrong")},
        {"data": form, "headers": {"Authorization": "Basic %%%"}},
        {"data": form, "headers": {"Authorization": "Basic /////w=="}},
        {"data": form, "headers": {"Authorization": "Bearer x"}},
        {"data": {**form, "client_id": "web"}, "auth": ("shop", shop.secret)},
        {"data": {**form, "client_secret": "x"}, "auth": ("shop", shop.secret)},
    ]
    for attempt in attempts:
        answer = await outside.post("/oauth/token", **attempt)  # type: ignore[arg-type]
        assert answer.status_code in (400, 401), answer.text
        assert answer.json()["error"] in ("invalid_client", "invalid_request")
    by_form = {**form, "client_id": "shop", "client_secret": str(shop.secret)}
    assert (await outside.post("/oauth/token", data=by_form)).status_code == 200


async def test_t1_a_user_who_says_no_is_told_to_the_client(signed_in: Browser, cli: Application) -> None:
    await signed_in.open(cli.request())
    assert "Suuupra command line" in signed_in.text()
    given = answered(await signed_in.send(decision="deny"))
    assert (given["error"], given["state"], given["iss"]) == ("access_denied", cli.state, signed_in.origin)


async def test_t1_consent_counts_from_our_own_page_only(signed_in: Browser, cli: Application) -> None:
    query = cli.request().partition("?")[2]
    for origin in ("https://evil.example", "null", ""):
        answer = await signed_in.http.post(
            "/oauth/consent", data={"query": query, "decision": "allow"}, headers={"Origin": origin}
        )
        assert (answer.status_code, "location" in answer.headers) == (403, False)
