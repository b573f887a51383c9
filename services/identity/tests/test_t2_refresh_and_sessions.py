"""T2: a refresh token is good once, a sign-in is as fresh as the client asks, and nothing comes by another way."""

import asyncio
import secrets
from typing import Any

import httpx
import pytest

from services.identity.domain import jwts
from services.identity.tests.browser import Application, Browser, answered, bearer, claims
from services.identity.tests.conftest import MakeUser
from services.identity.tests.process import Process

pytestmark = pytest.mark.integration


@pytest.fixture
async def email(new_user: MakeUser) -> str:
    return (await new_user(f"{secrets.token_hex(6)}@example.org", "creator")).email


@pytest.fixture
async def signed_in(person: Browser, email: str) -> Browser:
    assert (await person.sign_in(email)).status_code == 303
    return person


# Refresh


async def test_t2_a_refresh_token_is_replaced_by_each_use(signed_in: Browser, shop: Application) -> None:
    first = await shop.tokens(signed_in)
    second = (await shop.refresh(first["refresh_token"])).json()
    third = (await shop.refresh(second["refresh_token"])).json()
    assert len({it["refresh_token"] for it in (first, second, third)}) == 3
    assert await shop.is_active(third["access_token"])
    assert not await shop.is_active(first["refresh_token"])


async def test_t2_a_refresh_token_used_again_revokes_its_whole_family(
    signed_in: Browser, shop: Application, outside: httpx.AsyncClient, provider: Process
) -> None:
    stolen = await shop.tokens(signed_in)
    renewed = (await shop.refresh(stolen["refresh_token"])).json()
    provider.advance(3)
    again = await shop.refresh(stolen["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await shop.refresh(renewed["refresh_token"])).json()["error"] == "invalid_grant"
    for token in (stolen["access_token"], renewed["access_token"]):
        assert not await shop.is_active(token)
        assert (await outside.get("/oauth/userinfo", headers=bearer(token))).status_code == 401
    assert await shop.tokens(signed_in)  # the user's other sign-ins are untouched


async def test_t2_a_refresh_token_used_again_within_two_seconds_is_refused_and_its_family_lives(
    signed_in: Browser, shop: Application, provider: Process
) -> None:
    given = await shop.tokens(signed_in)
    renewed = (await shop.refresh(given["refresh_token"])).json()
    provider.advance(1)
    again = await shop.refresh(given["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    for token in (given["access_token"], renewed["access_token"]):
        assert await shop.is_active(token)
    assert (await shop.refresh(renewed["refresh_token"])).status_code == 200


async def test_t2_of_concurrent_refreshes_one_wins_and_what_it_got_lives(
    signed_in: Browser, shop: Application, cli: Application
) -> None:
    for client in (shop, cli):
        given = await client.tokens(signed_in)
        answers = await asyncio.gather(*(client.refresh(given["refresh_token"]) for _ in range(10)))
        won = [answer for answer in answers if answer.status_code == 200]
        assert len(won) == 1
        assert {it.json()["error"] for it in answers if it.status_code != 200} == {"invalid_grant"}
        assert (await client.refresh(won[0].json()["refresh_token"])).status_code == 200


async def test_t2_another_client_gets_nothing_for_a_refresh_token(
    signed_in: Browser, shop: Application, web: Application, cli: Application
) -> None:
    given = await shop.tokens(signed_in)
    for thief in (web, cli):
        assert (await thief.refresh(given["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await shop.refresh(given["refresh_token"])).status_code == 200


async def test_t2_a_refresh_may_ask_for_less_and_never_for_more(
    signed_in: Browser, shop: Application
) -> None:
    given = await shop.tokens(signed_in, scope="openid email content:write")
    assert given["scope"] == "openid email content:write"
    assert (await shop.refresh(given["refresh_token"], scope="openid profile")).json()[
        "error"
    ] == "invalid_scope"
    less = (await shop.refresh(given["refresh_token"], scope="openid")).json()
    assert less["scope"] == "openid"
    assert (await shop.refresh(less["refresh_token"])).json()["scope"] == "openid email content:write"


async def test_t2_a_refresh_token_dies_with_its_grant_of_thirty_days(
    signed_in: Browser, shop: Application, provider: Process
) -> None:
    given = await shop.tokens(signed_in)
    provider.advance(29 * 86_400)
    renewed = (await shop.refresh(given["refresh_token"])).json()
    provider.advance(2 * 86_400)
    assert (await shop.refresh(renewed["refresh_token"])).json()["error"] == "invalid_grant"


# What a sign-in says


async def test_t2_the_id_token_answers_the_request(
    signed_in: Browser, email: str, shop: Application, provider: Process
) -> None:
    before = int(provider.clock.now().timestamp())
    answer = answered(await signed_in.open(shop.request()))
    assert (answer["state"], answer["iss"]) == (shop.state, provider.url)
    tokens = (await shop.redeem(answer["code"])).json()
    told = claims(provider.ring, tokens["id_token"], jwts.ID)
    assert (told["nonce"], told["iss"], told["aud"]) == (shop.nonce, provider.url, "shop")
    assert told["at_hash"] == jwts.half_hash(tokens["access_token"])
    assert (told["email"], told["email_verified"], told["roles"]) == (email, True, ["learner", "creator"])
    assert before - 60 <= told["auth_time"] <= told["iat"]
    renewed = (await shop.refresh(tokens["refresh_token"])).json()
    again = claims(provider.ring, renewed["id_token"], jwts.ID)
    assert (again["sub"], again["auth_time"]) == (told["sub"], told["auth_time"])
    assert "nonce" not in again


async def test_t2_without_a_nonce_none_is_made_up(
    signed_in: Browser, shop: Application, provider: Process
) -> None:
    tokens = await shop.tokens(signed_in, nonce=None)
    assert "nonce" not in claims(provider.ring, tokens["id_token"], jwts.ID)


async def test_t2_without_openid_there_is_no_id_token_and_no_userinfo(
    signed_in: Browser, shop: Application, outside: httpx.AsyncClient
) -> None:
    tokens = await shop.tokens(signed_in, scope="orders:read profile")
    assert "id_token" not in tokens
    assert tokens["scope"] == "profile"  # a creator may not have orders:read
    assert (await outside.get("/oauth/userinfo", headers=bearer(tokens["access_token"]))).status_code == 403


async def test_t2_the_access_token_carries_what_services_need(
    signed_in: Browser, shop: Application, provider: Process
) -> None:
    tokens = await shop.tokens(signed_in, scope="openid content:write orders:read made:up")
    told = claims(provider.ring, tokens["access_token"])
    assert (told["iss"], told["aud"], told["client_id"]) == (provider.url, "suuupra", "shop")
    assert told["scope"] == tokens["scope"] == "openid content:write"
    assert told["exp"] - told["iat"] == tokens["expires_in"] == 600


# How fresh it must be


async def test_t2_prompt_none_asks_nobody(
    person: Browser, email: str, shop: Application, cli: Application
) -> None:
    assert answered(await person.open(shop.request(prompt="none")))["error"] == "login_required"
    await person.sign_in(email)
    assert "code" in answered(await person.open(shop.request(prompt="none")))
    assert answered(await person.open(cli.request(prompt="none")))["error"] == "consent_required"
    assert answered(await person.open(shop.request(prompt="none login")))["error"] == "invalid_request"


@pytest.mark.parametrize("changed", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "select_account"}])
async def test_t2_a_client_that_asks_for_it_gets_a_new_sign_in_once(
    signed_in: Browser, email: str, shop: Application, provider: Process, changed: dict[str, str]
) -> None:
    provider.advance(5)
    to_login = await signed_in.open(shop.request(**changed))
    assert to_login.headers["location"].startswith("/account/login?return_to=")
    # Going on without signing in leads back to the same page.
    return_to = answered(to_login)["return_to"]
    assert (await signed_in.open(return_to)).headers["location"].startswith("/account/login")
    back = await signed_in.sign_in(email, return_to=return_to)
    assert back.headers["location"] == return_to
    code = answered(await signed_in.open(return_to))["code"]
    told = claims(provider.ring, (await shop.redeem(code)).json()["id_token"], jwts.ID)
    assert told["iat"] - told["auth_time"] <= 5
    # The sign-in was for that request, and it has been answered.
    provider.advance(2)
    assert (await signed_in.open(return_to)).headers["location"].startswith("/account/login")


async def test_t2_max_age_is_counted_from_the_sign_in(
    signed_in: Browser, shop: Application, provider: Process
) -> None:
    provider.advance(100)
    assert "code" in answered(await signed_in.open(shop.request(max_age="1000")))
    assert "return_to" in answered(await signed_in.open(shop.request(max_age="50")))
    silent = answered(await signed_in.open(shop.request(max_age="50", prompt="none")))
    assert silent["error"] == "login_required"


async def test_t2_a_hint_at_another_user_asks_for_that_one(
    signed_in: Browser, shop: Application, new_user: MakeUser
) -> None:
    hint = (await shop.tokens(signed_in))["id_token"]
    assert "code" in answered(await signed_in.open(shop.request(id_token_hint=hint, prompt="none")))
    other = await new_user(f"{secrets.token_hex(6)}@example.org")
    await signed_in.sign_in(other.email)
    silent = answered(await signed_in.open(shop.request(id_token_hint=hint, prompt="none")))
    assert silent["error"] == "login_required"


async def test_t2_a_session_ends_after_a_week(
    signed_in: Browser, shop: Application, provider: Process
) -> None:
    provider.advance(7 * 86_400 + 1)
    signed_in.http.cookies.jar.clear_expired_cookies()
    assert answered(await signed_in.open(shop.request(prompt="none")))["error"] == "login_required"


# Ways that are closed


@pytest.mark.parametrize(
    "response_type", ["token", "id_token", "id_token token", "code id_token", "none", 'x"y', ""]
)
async def test_t2_implicit_and_hybrid_requests_are_refused(
    signed_in: Browser, shop: Application, response_type: str
) -> None:
    answer = await signed_in.open(shop.request(response_type=response_type))
    assert answered(answer)["error"] == "unsupported_response_type"
    assert "#" not in answer.headers["location"]


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password", "username": "asha", "password": "x"},
        {"grant_type": "implicit"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"},
        {"grant_type": 'x"y\x00'},
    ],
)
async def test_t2_other_grants_are_refused(shop: Application, form: dict[str, Any]) -> None:
    answer = await shop.ask("token", **form)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_t2_a_client_gets_only_the_grants_it_is_registered_for(
    shop: Application, cli: Application, outside: httpx.AsyncClient
) -> None:
    assert (await shop.ask("token", grant_type="client_credentials")).json()["error"] == "unauthorized_client"
    assert (await cli.ask("token", grant_type="client_credentials")).json()["error"] == "invalid_client"
    reports = Application(outside, "reports", "https://reports.example/", "the reports' secret")
    assert (await reports.refresh("x")).json()["error"] == "unauthorized_client"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("application/x-www-form-urlencoded", b"grant_type=password&grant_type=refresh_token"),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"grant_type=%ff"),
        ("application/x-www-form-urlencoded", b""),
    ],
)
async def test_t2_a_body_that_is_no_form_is_refused(
    outside: httpx.AsyncClient, kind: str, body: bytes
) -> None:
    for endpoint in ("token", "revoke", "introspect"):
        answer = await outside.post(f"/oauth/{endpoint}", content=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 401)
        assert answer.json()["error"] in ("invalid_request", "invalid_client")
        assert answer.headers["cache-control"] == "no-store"


async def test_t2_client_credentials_speak_for_the_client_alone(
    outside: httpx.AsyncClient, provider: Process
) -> None:
    reports = Application(outside, "reports", "https://reports.example/", "the reports' secret")
    given = (await reports.ask("token", grant_type="client_credentials")).json()
    assert "refresh_token" not in given
    told = claims(provider.ring, given["access_token"])
    assert (told["sub"], told["client_id"], told["roles"]) == ("reports", "reports", [])
    assert told["scope"] == "ledger:read orders:read"
    less = await reports.ask("token", grant_type="client_credentials", scope="orders:read")
    assert less.json()["scope"] == "orders:read"
    more = await reports.ask("token", grant_type="client_credentials", scope="orders:read ledger:write")
    assert more.json()["error"] == "invalid_scope"
    assert (await outside.get("/v1/users/me", headers=bearer(given["access_token"]))).status_code == 404
    assert (await outside.get("/oauth/userinfo", headers=bearer(given["access_token"]))).status_code == 403


# Revocation, introspection, logout


async def test_t2_a_revoked_refresh_token_takes_all_that_came_of_it(
    signed_in: Browser, shop: Application
) -> None:
    given = await shop.tokens(signed_in)
    assert (await shop.ask("revoke", token=given["refresh_token"])).status_code == 200
    assert not await shop.is_active(given["access_token"])
    assert (await shop.refresh(given["refresh_token"])).json()["error"] == "invalid_grant"


async def test_t2_a_revoked_access_token_goes_alone(signed_in: Browser, shop: Application) -> None:
    given = await shop.tokens(signed_in)
    assert (await shop.ask("revoke", token=given["access_token"], token_type_hint="odd")).status_code == 200
    assert not await shop.is_active(given["access_token"])
    assert (await shop.refresh(given["refresh_token"])).status_code == 200
    assert (await shop.ask("revoke", token="made up")).status_code == 200


async def test_t2_tokens_of_others_can_neither_be_revoked_nor_looked_at(
    signed_in: Browser, shop: Application, web: Application, cli: Application, outside: httpx.AsyncClient
) -> None:
    given = await web.tokens(signed_in)
    assert not await shop.is_active(given["access_token"])
    assert (await shop.ask("revoke", token=given["refresh_token"])).status_code == 400
    assert (await cli.ask("introspect", token=given["access_token"])).json()["error"] == "invalid_client"
    assert (await outside.post("/oauth/introspect", data={"token": given["access_token"]})).status_code == 401
    assert await web.is_active(given["access_token"])
    assert await web.is_active((await shop.tokens(signed_in))["access_token"])  # web may introspect all


async def test_t2_signing_out_ends_the_session_and_what_was_granted_for_it(
    signed_in: Browser, shop: Application
) -> None:
    given = await shop.tokens(signed_in)
    kept = await shop.tokens(signed_in, scope="openid offline_access")
    params = {
        "id_token_hint": given["id_token"],
        "post_logout_redirect_uri": "https://shop.example/bye",
        "state": "s 1",
    }
    answer = await signed_in.open(str(httpx.URL("/oauth/logout", params=params)))
    assert answer.headers["location"] == "https://shop.example/bye?state=s+1"
    assert answered(await signed_in.open(shop.request(prompt="none")))["error"] == "login_required"
    assert (await shop.refresh(given["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await shop.refresh(kept["refresh_token"])).status_code == 200


async def test_t2_signing_out_without_a_proof_asks_first(signed_in: Browser, shop: Application) -> None:
    answer = await signed_in.open(
        "/oauth/logout?client_id=shop&post_logout_redirect_uri=https://shop.example/bye"
    )
    assert (answer.status_code, "Sign out?" in signed_in.text()) == (200, True)
    foreign = await signed_in.http.post(
        "/oauth/logout",
        data={"confirmed": "yes"},
        headers={"Origin": "https://evil.example", "Accept": "text/html"},
    )
    assert "Sign out?" in foreign.text
    assert "code" in answered(await signed_in.open(shop.request(prompt="none")))
    await signed_in.open("/oauth/logout?client_id=shop&post_logout_redirect_uri=https://shop.example/bye")
    assert (await signed_in.send()).headers["location"] == "https://shop.example/bye"
    assert answered(await signed_in.open(shop.request(prompt="none")))["error"] == "login_required"


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "https://shop.example/bye?x=1", "https://shop.example/callback"]
)
async def test_t2_signing_out_leads_to_registered_addresses_only(
    signed_in: Browser, shop: Application, address: str
) -> None:
    given = await shop.tokens(signed_in)
    params = {"id_token_hint": given["id_token"], "post_logout_redirect_uri": address}
    answer = await signed_in.open(str(httpx.URL("/oauth/logout", params=params)))
    assert (answer.status_code, "You are signed out" in signed_in.text()) == (200, True)


async def test_t2_a_logout_with_a_forged_or_foreign_hint_is_refused(
    signed_in: Browser, shop: Application, web: Application
) -> None:
    given = await shop.tokens(signed_in)
    head, payload, signature = given["id_token"].split(".")
    for hint in ("x", f"{head}.{payload}.{signature[::-1]}", given["access_token"]):
        assert (await signed_in.open(f"/oauth/logout?id_token_hint={hint}")).status_code == 400
    assert (
        await signed_in.open(f"/oauth/logout?id_token_hint={given['id_token']}&client_id=web")
    ).status_code == 400
    assert await web.tokens(signed_in)
