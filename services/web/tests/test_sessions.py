"""Signing in and out with a real database and identity's double: what the browser gets, and what it never gets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from services.web import store
from services.web.api.sessions import ANEW
from services.web.domain.sessions import ATTEMPT_LASTS, IDLE_LIMIT
from services.web.settings import Settings
from services.web.tests.conftest import ORIGIN, OURS, World, browsing, given, sign_in, web_of
from services.web.tests.markup import one, tree
from suuupra.db import Database
from suuupra.testing.contracts import check_models

pytestmark = pytest.mark.integration

SESSION, LOGIN = "suuupra_session", "suuupra_login"


async def asked(client: httpx.AsyncClient, to: str = "/") -> str:
    """Where the sign-in button leads."""
    return str((await client.get("/session/login", params={"to": to})).headers["location"])


async def is_signed_in(client: httpx.AsyncClient) -> bool:
    return (await client.get("/account")).status_code == 200


async def test_the_models_are_the_schema(database: Database) -> None:
    await check_models(database, store.SessionRow.metadata)


async def test_a_sign_in_asks_with_pkce_state_and_nonce_and_each_is_new(shopper: httpx.AsyncClient) -> None:
    one_, two = await first_of(shopper), await first_of(shopper)
    assert one_["redirect_uri"] == f"{ORIGIN}/session/callback"
    assert (one_["response_type"], one_["code_challenge_method"], one_["client_id"]) == (
        "code",
        "S256",
        "web",
    )
    assert all(
        one_[name] != two[name] and len(one_[name]) >= 43 for name in ("state", "nonce", "code_challenge")
    )


async def first_of(client: httpx.AsyncClient) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(await asked(client)).query).items()}


async def test_signing_in_leads_back_and_gives_an_opaque_cookie_out_of_scripts_reach(
    shopper: httpx.AsyncClient, world: World
) -> None:
    done = await sign_in(shopper, world, "/courses/python?from=here")
    assert (done.status_code, done.headers["location"]) == (303, "/courses/python?from=here")
    cookie = next(value for value in done.headers.get_list("set-cookie") if value.startswith(SESSION))
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert attribute in cookie
    assert await is_signed_in(shopper)


async def test_tokens_never_reach_the_browser(shopper: httpx.AsyncClient, world: World) -> None:
    answers = [await sign_in(shopper, world)]
    for path in ("/", "/account", "/learning", "/orders", "/inbox", "/cart", "/courses/rust"):
        answers.append(await shopper.get(path))
    answers.append(await shopper.post("/session/logout", headers=OURS))
    secrets = [*world.identity.tokens, *(family.refresh for family in world.identity.families)]
    assert len(secrets) == 2
    for answer in answers:
        seen = answer.text + str(answer.headers)
        assert not any(secret in seen for secret in secrets)
        assert "eyJ" not in seen  # how every JWT begins


async def test_the_database_holds_neither_tokens_nor_what_the_cookie_says(
    learner: httpx.AsyncClient, world: World, database: Database
) -> None:
    async with database.reading() as tx:
        row = str((await tx.execute(text("SELECT * FROM session"))).one())
    assert learner.cookies[SESSION] not in row
    assert not any(token in row for token in (*world.identity.tokens, world.identity.families[0].refresh))


async def test_a_callback_counts_once(shopper: httpx.AsyncClient, world: World) -> None:
    back = world.identity.approve(await asked(shopper))
    assert (await shopper.get(back)).status_code == 303
    shopper.cookies.delete(SESSION)
    again = await shopper.get(back)
    assert (again.status_code, again.headers["location"]) == (303, ANEW)
    assert SESSION not in shopper.cookies


async def test_the_back_button_to_a_callback_that_was_used_leads_on_for_who_is_signed_in(
    shopper: httpx.AsyncClient, world: World
) -> None:
    back = world.identity.approve(await asked(shopper))
    await shopper.get(back)
    assert (await shopper.get(back)).headers["location"] == "/"


async def test_a_sign_in_begun_in_another_browser_signs_nobody_in(
    shopper: httpx.AsyncClient, app: FastAPI, world: World
) -> None:
    back = world.identity.approve(await asked(shopper))
    async with browsing(app) as victim:
        assert (await victim.get(back)).headers["location"] == ANEW
        await asked(victim)  # even with a sign-in of its own under way
        assert (await victim.get(back)).headers["location"] == ANEW
        assert SESSION not in victim.cookies
    assert not world.identity.families


async def test_who_confirms_an_account_in_another_browser_is_signed_in_there(
    shopper: httpx.AsyncClient, app: FastAPI, world: World
) -> None:
    """Identity knows them in that browser, and answers the question that it is asked anew at once."""
    back = world.identity.approve(await asked(shopper))
    async with browsing(app) as other:
        led = await other.get(back)
        question = (await other.get(led.headers["location"])).headers["location"]
        arrived = await other.get(world.identity.approve(question))
        assert (arrived.status_code, arrived.headers["location"]) == (303, "/")
        assert SESSION in other.cookies


async def test_a_browser_that_keeps_no_cookie_is_not_sent_round_for_ever(
    shopper: httpx.AsyncClient, world: World
) -> None:
    question = (await shopper.get(ANEW)).headers["location"]
    shopper.cookies.clear()
    refused = await shopper.get(world.identity.approve(question))
    assert refused.status_code == 400
    assert "Start again" in refused.text


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"state": "made-up"}, 303), ({"code": "made-up"}, 400), ({"iss": "https://evil.example"}, 400)],
)
async def test_an_answer_that_is_not_to_our_question_signs_nobody_in(
    shopper: httpx.AsyncClient, world: World, wrong: dict[str, str], status: int
) -> None:
    refused = await shopper.get(world.identity.approve(await asked(shopper), **wrong))
    assert refused.status_code == status
    assert SESSION not in shopper.cookies


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"sub": "not-an-id"},
    ],
)
async def test_an_id_token_that_is_not_for_us_signs_nobody_in(
    shopper: httpx.AsyncClient, world: World, claims: dict[str, object]
) -> None:
    world.identity.claims = claims
    refused = await sign_in(shopper, world)
    assert refused.status_code == 400
    assert SESSION not in shopper.cookies


async def test_a_sign_in_left_lying_too_long_is_over(shopper: httpx.AsyncClient, world: World) -> None:
    back = world.identity.approve(await asked(shopper))
    world.clock.advance(ATTEMPT_LASTS)
    assert (await shopper.get(back)).headers["location"] == ANEW
    assert SESSION not in shopper.cookies


async def test_two_tabs_may_sign_in_side_by_side(shopper: httpx.AsyncClient, world: World) -> None:
    first, second = await asked(shopper, "/cart"), await asked(shopper, "/orders")
    assert (await shopper.get(world.identity.approve(second))).headers["location"] == "/orders"
    assert (await shopper.get(world.identity.approve(first))).headers["location"] == "/cart"


async def test_who_breaks_off_comes_back_to_where_they_were(shopper: httpx.AsyncClient) -> None:
    state = (await first_of(shopper))["state"]
    back = await shopper.get("/session/callback", params={"error": "access_denied", "state": state})
    assert back.headers["location"] == "/"


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_a_sign_in_never_leads_to_another_site(
    shopper: httpx.AsyncClient, world: World, to: str
) -> None:
    assert (await sign_in(shopper, world, to)).headers["location"] == "/"


async def test_a_new_sign_in_is_a_new_session_whatever_cookie_came_with_it(
    shopper: httpx.AsyncClient, world: World
) -> None:
    shopper.cookies.set(SESSION, "planted-by-somebody", domain="localhost.local", path="/")
    await sign_in(shopper, world)
    assert "planted-by-somebody" not in [cookie.value for cookie in shopper.cookies.jar if cookie.path == "/"]


async def test_an_access_token_near_its_end_is_renewed_and_the_learner_notices_nothing(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.clock.advance(timedelta(minutes=9, seconds=30))
    assert await is_signed_in(learner)
    assert await is_signed_in(learner)
    assert world.identity.refreshed == 1


async def test_t2_two_tabs_at_once_renew_once_and_the_family_lives(
    learner: httpx.AsyncClient, world: World
) -> None:
    """T2's other side: identity revokes a family whose refresh token comes twice, so ours must never."""
    world.clock.advance(timedelta(minutes=11))
    world.identity.pause = asyncio.Event()
    world.identity.arrived.clear()
    tabs = [asyncio.create_task(learner.get("/account")) for _ in range(8)]
    await world.identity.arrived.wait()
    world.identity.pause.set()
    assert [answer.status_code for answer in await asyncio.gather(*tabs)] == [200] * 8
    assert world.identity.refreshed == 1
    assert not world.identity.families[0].revoked


async def test_t2_two_pods_renew_once(learner: httpx.AsyncClient, world: World, database_url: str) -> None:
    """T2's other side again: the lock is in the database, so it holds between processes."""
    world.clock.advance(timedelta(minutes=11))
    other = web_of(Settings(**given(database_url=database_url)), world)
    async with other.router.lifespan_context(other), browsing(other) as second:
        second.cookies = learner.cookies
        world.identity.pause = asyncio.Event()
        world.identity.arrived.clear()
        tabs = [asyncio.create_task(one_.get("/account")) for one_ in (learner, second, learner, second)]
        await world.identity.arrived.wait()
        world.identity.pause.set()
        assert [answer.status_code for answer in await asyncio.gather(*tabs)] == [200] * 4
    assert world.identity.refreshed == 1


async def test_a_session_that_identity_has_ended_leads_to_the_sign_in_and_back(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.identity.families[0].revoked = True
    world.clock.advance(timedelta(minutes=11))
    led = await learner.get("/orders", params={"cursor": "abc"})
    assert led.headers["location"] == "/session/login?to=%2Forders%3Fcursor%3Dabc"
    assert (await first_of(learner))["reason"] == "session_ended"
    assert (await sign_in(learner, world, "/orders")).headers["location"] == "/orders"
    assert await is_signed_in(learner)


async def test_only_who_had_a_session_is_told_that_it_ended(shopper: httpx.AsyncClient, world: World) -> None:
    assert (await shopper.get("/orders")).headers["location"] == "/session/login?to=%2Forders"
    assert "reason" not in await first_of(shopper), "a visitor had none"
    await sign_in(shopper, world)
    await shopper.post("/session/logout", headers=OURS)
    assert "reason" not in await first_of(shopper), "who signs out knows it"


async def test_a_session_unused_for_long_is_over(learner: httpx.AsyncClient, world: World) -> None:
    world.clock.advance(IDLE_LIMIT + timedelta(seconds=1))
    assert not await is_signed_in(learner)
    assert world.identity.refreshed == 0


async def test_while_identity_is_away_a_token_that_is_still_good_is_used(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.identity.away = True
    world.clock.advance(timedelta(minutes=9, seconds=30))
    assert await is_signed_in(learner)


async def test_while_identity_is_away_courses_are_there_and_the_account_says_to_wait(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.identity.away = True
    world.clock.advance(timedelta(minutes=11))
    catalogue = await learner.get("/")
    assert catalogue.status_code == 200
    assert "Accounts are away" in catalogue.text
    account = await learner.get("/account")
    assert account.status_code == 503
    assert account.headers["retry-after"]
    world.identity.away = False
    assert await is_signed_in(learner)


async def test_a_token_that_services_refuse_does_not_send_anybody_round_in_circles(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.network.failing["commerce"] = 401
    assert (await learner.get("/orders")).status_code == 503
    world.clock.advance(timedelta(minutes=1))
    led = await learner.get((await learner.get("/orders")).headers["location"])
    await learner.get(world.identity.approve(led.headers["location"]))
    assert (await learner.get("/orders")).status_code == 503, "the new token is refused as well"
    world.network.failing.clear()
    assert (await learner.get("/orders")).status_code == 200


async def test_signing_out_ends_the_session_here_and_at_identity(
    learner: httpx.AsyncClient, world: World
) -> None:
    kept = learner.cookies[SESSION]
    form = one(tree(await learner.get("/account")), "form[action='/session/logout']")
    said = {str(node.attributes["name"]): node.attributes["value"] for node in form.css("input")}
    assert said == {"client_id": "web", "post_logout_redirect_uri": f"{ORIGIN}/", "confirmed": "yes"}
    out = await learner.post("/session/logout", data=said, headers=OURS)
    assert (out.status_code, out.headers["location"]) == (307, f"{ORIGIN}/oauth/logout")
    assert world.identity.families[0].revoked
    assert SESSION not in learner.cookies
    learner.cookies.set(SESSION, kept)
    assert not await is_signed_in(learner)


async def test_signing_out_works_while_identity_is_away(learner: httpx.AsyncClient, world: World) -> None:
    world.identity.away = True
    assert (await learner.post("/session/logout", headers=OURS)).status_code == 307
    assert not await is_signed_in(learner)


async def test_another_site_cannot_sign_anybody_out(learner: httpx.AsyncClient) -> None:
    assert (
        await learner.post("/session/logout", headers={"Sec-Fetch-Site": "cross-site"})
    ).status_code == 403
    assert await is_signed_in(learner)


@pytest.mark.parametrize("value", ["", "x", "x" * 5000, "../../etc", '"; DROP TABLE session; --', "%00"])
async def test_a_cookie_that_is_none_of_ours_is_nobody(shopper: httpx.AsyncClient, value: str) -> None:
    page = await shopper.get("/", headers={"Cookie": f"{SESSION}={value}"})
    assert page.status_code == 200
    assert one(tree(page), ".site-nav a[href^='/session/login']").text() == "Sign in"


async def test_a_program_is_told_401_and_not_led_anywhere(shopper: httpx.AsyncClient) -> None:
    answer = await shopper.get("/orders", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_secret_is_read_where_identity_keeps_it(database_url: str, world: World) -> None:
    path = "identity/clients/web"
    world.secrets.write(path, {"client_id": "web", "client_secret": "an-old-one"}, None)
    app = web_of(Settings(**given(database_url=database_url, client_secret=None)), world)
    async with app.router.lifespan_context(app), browsing(app) as client:
        assert (await sign_in(client, world)).status_code == 503
        world.secrets.write(path, {"client_id": "web", "client_secret": "the-secret-of-web"}, None)
        assert (await sign_in(client, world)).status_code == 303
        world.secrets.away = True
        client.cookies.clear()
        assert (await sign_in(client, world)).status_code == 303
