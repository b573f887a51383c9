"""Signing up, confirming, signing in, recovering: what people do on pages, with the letters they get."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from services.identity.tests.browser import PASSWORD, Browser, answered
from services.identity.tests.conftest import SITE, make_user
from services.identity.usecases.hashing import HashingBusy
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.smtp import MailServer, text_of

pytestmark = pytest.mark.integration

NEW = {"name": "Asha Rao", "email": "Asha@Example.org", "password": PASSWORD}
LINK = re.compile(rf"{re.escape(SITE)}(/account/\S+)")

SendLetters = Callable[[], Awaitable[int]]


def link_in(mail: MailServer, number: int = -1) -> str:
    """The address that a letter asks to open."""
    found = LINK.search(text_of(mail.messages[number]))
    assert found is not None
    return found[1]


async def told(database: Database) -> list[dict[str, object]]:
    """The events that were published."""
    async with database.reading() as tx:
        rows = await tx.execute(text("SELECT data FROM outbox WHERE type = 'user.created' ORDER BY position"))
        return [row[0] for row in rows]


async def sign_up(browser: Browser, return_to: str = "", **changed: str) -> httpx.Response:
    await browser.open(
        str(httpx.URL("/account/sign-up", params={"return_to": return_to} if return_to else {}))
    )
    return await browser.send(**{**NEW, **changed})


async def request_of(browser: Browser, **changed: str) -> str:
    """The address of an authorization request of the web app."""
    values = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": f"{SITE}/session/callback",
        "scope": "openid email",
        "state": "s",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
        **changed,
    }
    return str(httpx.URL("/oauth/authorize", params=values))


# Signing up


async def test_somebody_signs_up_confirms_and_is_signed_in_where_they_came_from(
    browser: Browser, send_letters: SendLetters, mail_server: MailServer, database: Database
) -> None:
    start = await browser.open(await request_of(browser, prompt="create"))
    assert start.headers["location"].startswith("/account/sign-up?return_to=")
    await browser.open(start.headers["location"])
    assert (await browser.send(**NEW)).headers["location"] == "/account/sign-up/sent"
    assert await told(database) == []  # not before the address is confirmed
    await send_letters()
    assert mail_server.recipients == ["Asha@Example.org"]
    assert mail_server.messages[0]["subject"] == "Confirm your address"
    await browser.open(link_in(mail_server))
    assert "Asha@Example.org" in browser.text()
    on = await browser.send()
    back = answered(await browser.open(on.headers["location"]))
    assert (back["state"], "code" in back) == ("s", True)
    (event,) = await told(database)
    assert (event["email"], event["name"], event["roles"]) == ("Asha@Example.org", "Asha Rao", ["learner"])


async def test_opening_the_link_changes_nothing_since_programs_open_links_too(
    browser: Browser, send_letters: SendLetters, mail_server: MailServer, database: Database
) -> None:
    await sign_up(browser)
    await send_letters()
    for _ in range(3):
        assert (await browser.open(link_in(mail_server))).status_code == 200
    assert await told(database) == []


async def test_a_link_works_once(
    browser: Browser, send_letters: SendLetters, mail_server: MailServer, database: Database
) -> None:
    await sign_up(browser)
    await send_letters()
    await browser.open(link_in(mail_server))
    assert (await browser.send()).status_code == 303
    assert (await browser.send()).status_code == 410
    assert "does not work any more" in browser.text()
    assert len(await told(database)) == 1


async def test_a_link_is_good_for_a_day(
    browser: Browser, send_letters: SendLetters, mail_server: MailServer, clock: FakeClock
) -> None:
    await sign_up(browser)
    await send_letters()
    clock.advance(timedelta(hours=24))
    assert (await browser.open(link_in(mail_server))).status_code == 410


async def test_in_another_browser_the_password_is_needed_and_not_for_ever(
    browser: Browser,
    open_browser: Callable[[], Browser],
    send_letters: SendLetters,
    mail_server: MailServer,
    database: Database,
) -> None:
    """Whoever signs up with somebody else's address must not get an account by that one's click."""
    await sign_up(browser)
    await send_letters()
    victim = open_browser()
    await victim.open(link_in(mail_server))
    assert "another browser" in victim.text()
    assert (await victim.send()).status_code == 422
    for _ in range(5):
        assert (await victim.send(password="a wrong guess 1")).status_code in (410, 422)
    assert (await victim.http.get(link_in(mail_server))).status_code == 410
    assert await told(database) == []


async def test_in_another_browser_the_right_password_confirms(
    browser: Browser, open_browser: Callable[[], Browser], send_letters: SendLetters, mail_server: MailServer
) -> None:
    await sign_up(browser)
    await send_letters()
    other = open_browser()
    await other.open(link_in(mail_server))
    assert (await other.send(password=PASSWORD)).headers["location"] == "/session/login"
    assert "code" in answered(await other.open(await request_of(other, prompt="none")))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"email": "asha"}, "Write an e-mail address"),
        ({"email": "a@b.c\r\nBcc: x@y.z"}, "Write an e-mail address"),
        ({"email": "x" * 300 + "@example.org"}, "Write an e-mail address"),
        ({"name": ""}, "Write a name"),
        ({"name": "a\nb"}, "Write a name"),
        ({"name": "a\x00b"}, "Write a name"),
        ({"password": "short"}, "at least 10 characters"),
        ({"password": "password123"}, "among the first"),
    ],
)
async def test_what_is_wrong_in_a_form_is_said_beside_its_field(
    browser: Browser, changed: dict[str, str], sentence: str
) -> None:
    answer = await sign_up(browser, **changed)
    assert answer.status_code == 422
    assert sentence in " ".join(browser.errors())
    assert NEW["password"] not in answer.text


async def test_what_was_written_is_shown_again_and_never_as_markup(browser: Browser) -> None:
    answer = await sign_up(browser, name='"><script>alert(1)</script>', email="no")
    assert answer.status_code == 422
    assert "<script>" not in answer.text


# Nothing tells whether there is an account


async def test_signing_up_with_a_known_address_looks_the_same_and_the_letter_tells(
    open_browser: Callable[[], Browser],
    database: Database,
    send_letters: SendLetters,
    mail_server: MailServer,
) -> None:
    await make_user(database, "known@example.org")
    answers = []
    for email in ("known@example.org", "KNOWN@example.org", "unknown@example.org"):
        answer = await sign_up(open_browser(), email=email)
        names = [cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")]
        answers.append((answer.status_code, answer.headers["location"], answer.content, names))
    assert answers[0] == answers[1] == answers[2]
    await send_letters()
    subjects = {message["to"]: message["subject"] for message in mail_server.messages}
    assert subjects == {
        "known@example.org": "You already have an account",
        "unknown@example.org": "Confirm your address",
    }


async def test_recovery_looks_the_same_with_and_without_an_account(
    browser: Browser, database: Database, send_letters: SendLetters, mail_server: MailServer
) -> None:
    await make_user(database, "known@example.org")
    answers = []
    for email in ("known@example.org", "unknown@example.org"):
        await browser.open("/account/recover")
        answer = await browser.send(email=email)
        answers.append((answer.status_code, answer.headers["location"], answer.content))
    assert answers[0] == answers[1]
    await send_letters()
    assert mail_server.recipients == ["known@example.org"]


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(
    browser: Browser, database: Database
) -> None:
    await make_user(database, "known@example.org")
    pages = []
    for email in ("known@example.org", "nobody@example.org"):
        answer = await browser.sign_in(email, "a wrong guess 1")
        pages.append((answer.status_code, answer.text.replace(email, "…")))
    assert pages[0] == pages[1]
    assert "The address or the password is wrong." in browser.errors()


async def test_one_address_cannot_be_guessed_at_for_ever_known_or_not(
    browser: Browser, database: Database, clock: FakeClock
) -> None:
    await make_user(database, "known@example.org")
    for email in ("known@example.org", "nobody@example.org"):
        for _ in range(20):
            assert (await browser.sign_in(email, "a wrong guess 1")).status_code == 422
        stopped = await browser.sign_in(email)
        assert stopped.status_code == 429
        assert 0 < int(stopped.headers["retry-after"]) <= 900
    clock.advance(timedelta(minutes=15))
    assert (await browser.sign_in("known@example.org")).status_code == 303


# Signing in


async def test_signing_in_without_having_come_from_anywhere_leads_to_the_web_app(
    browser: Browser, database: Database
) -> None:
    await make_user(database, "asha@example.org")
    for return_to in ("", "https://evil.example/", "//evil.example", "/account/login"):
        answer = await browser.sign_in("ASHA@example.org", return_to=return_to)
        assert (answer.status_code, answer.headers["location"]) == (303, "/session/login")


async def test_the_cookie_is_for_the_protocol_only_and_no_script_reads_it(
    browser: Browser, database: Database
) -> None:
    await make_user(database, "asha@example.org")
    cookie = (await browser.sign_in("asha@example.org")).headers["set-cookie"]
    assert cookie.startswith("suuupra_sso=")
    assert {"HttpOnly", "Path=/oauth", "SameSite=lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    "path", ["/account/login", "/account/sign-up", "/account/recover", "/account/verify"]
)
async def test_forms_of_other_sites_count_for_nothing(http: httpx.AsyncClient, path: str) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Origin": SITE}, {}):
        answer = await http.post(path, data={**NEW, "token": "x"}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/account/login",
        "/account/sign-up",
        "/account/recover",
        "/account/sign-up/sent",
        "/account/recover/sent",
        "/oauth/logout",
    ],
)
async def test_every_page_works_without_script_and_is_kept_by_nobody(browser: Browser, path: str) -> None:
    answer = await browser.open(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "/_ui/identity/identity." in answer.text


async def test_a_page_may_lead_on_to_the_client_somebody_came_from_and_to_no_other(browser: Browser) -> None:
    """Browsers hold a form's redirects to its page's policy."""
    for redirect_uri, allowed in (
        ("http://127.0.0.1:9/callback", True),
        ("https://evil.example/callback", False),
    ):
        request = await request_of(browser, client_id="cli", redirect_uri=redirect_uri)
        answer = await browser.open(str(httpx.URL("/account/login", params={"return_to": request})))
        policy = answer.headers["content-security-policy"]
        assert ("form-action 'self' http://127.0.0.1:9;" in policy) == allowed
        assert "evil" not in policy


async def test_a_full_queue_of_passwords_is_told_with_a_wait(
    browser: Browser, app: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> bool:
        raise HashingBusy

    monkeypatch.setattr("services.identity.usecases.hashing.Hasher.matches", busy)
    answer = await browser.sign_in("asha@example.org")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)


async def test_whoever_is_shut_out_cannot_sign_in(browser: Browser, database: Database) -> None:
    await make_user(database, "asha@example.org")
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE account SET disabled_at = now()"))
    assert (await browser.sign_in("asha@example.org")).status_code == 422


async def test_a_hash_of_older_parameters_is_renewed_when_its_owner_signs_in(
    browser: Browser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_user(database, "asha@example.org")
    monkeypatch.setattr("services.identity.usecases.hashing.Hasher.outdated", lambda *_: True)
    query = text("SELECT password_hash FROM account")
    async with database.reading() as tx:
        before = await tx.scalar(query)
    assert (await browser.sign_in("asha@example.org")).status_code == 303
    async with database.reading() as tx:
        assert await tx.scalar(query) != before
    assert (await browser.sign_in("asha@example.org")).status_code == 303


# Recovering


async def test_a_forgotten_password_is_replaced_and_everybody_signed_out(
    browser: Browser,
    open_browser: Callable[[], Browser],
    database: Database,
    send_letters: SendLetters,
    mail_server: MailServer,
) -> None:
    await make_user(database, "asha@example.org")
    thief = open_browser()
    await thief.sign_in("asha@example.org")
    assert "code" in answered(await thief.open(await request_of(thief, prompt="none")))
    await browser.open("/account/recover")
    await browser.send(email="asha@example.org")
    await send_letters()
    link = link_in(mail_server)
    await browser.open(link)
    assert (await browser.send(password="password123")).status_code == 422
    done = await browser.send(password="another horse battery 9")
    await browser.open(done.headers["location"])
    assert "Your password is changed" in browser.text()
    assert (await browser.open(link)).status_code == 410
    silent = answered(await thief.open(await request_of(thief, prompt="none")))
    assert silent["error"] == "login_required"
    assert (await browser.sign_in("asha@example.org")).status_code == 422
    assert (await browser.sign_in("asha@example.org", "another horse battery 9")).status_code == 303
    await send_letters()
    assert mail_server.messages[-1]["subject"] == "Your password was changed"


async def test_a_recovery_link_is_good_for_an_hour(
    browser: Browser, database: Database, send_letters: SendLetters, mail_server: MailServer, clock: FakeClock
) -> None:
    await make_user(database, "asha@example.org")
    await browser.open("/account/recover")
    await browser.send(email="asha@example.org")
    await send_letters()
    clock.advance(timedelta(hours=1))
    assert (await browser.open(link_in(mail_server))).status_code == 410


async def test_a_link_of_one_kind_opens_no_page_of_another(
    browser: Browser, database: Database, send_letters: SendLetters, mail_server: MailServer
) -> None:
    await make_user(database, "asha@example.org")
    await browser.open("/account/recover")
    await browser.send(email="asha@example.org")
    await sign_up(browser, email="other@example.org")
    await send_letters()
    links = {message["to"]: link_in(mail_server, n) for n, message in enumerate(mail_server.messages)}
    recover, verify = links["asha@example.org"], links["other@example.org"]
    assert (await browser.open(recover.replace("recover/new", "verify"))).status_code == 410
    assert (await browser.open(verify.replace("verify", "recover/new"))).status_code == 410
    for token in ("", "x", "%00", "x" * 5000):
        assert (await browser.open(f"/account/verify?token={token}")).status_code == 410


# Letters


async def test_letters_wait_while_the_mail_server_is_away_and_both_links_work(
    browser: Browser, send_letters: SendLetters, mail_server: MailServer, clock: FakeClock, database: Database
) -> None:
    await sign_up(browser)
    mail_server.vanish = True  # it takes the letter, and its answer is lost
    assert await send_letters() == 0
    mail_server.vanish = False
    clock.advance(timedelta(minutes=1))
    assert await send_letters() == 1
    assert len({link_in(mail_server, 0), link_in(mail_server, 1)}) == 2
    await browser.open(link_in(mail_server, 1))
    assert (await browser.send()).status_code == 303


async def test_a_mailbox_cannot_be_flooded(
    browser: Browser, database: Database, send_letters: SendLetters, mail_server: MailServer, clock: FakeClock
) -> None:
    await make_user(database, "asha@example.org")
    for _ in range(9):
        await browser.open("/account/recover")
        assert (await browser.send(email="asha@example.org")).status_code == 303
    await send_letters()
    assert len(mail_server.messages) == 5


async def test_no_token_is_written_down_anywhere_but_in_its_letter(
    browser: Browser, database: Database, send_letters: SendLetters, mail_server: MailServer, postgres: object
) -> None:
    await sign_up(browser)
    await send_letters()
    token = link_in(mail_server).partition("token=")[2]
    async with database.reading() as tx:
        tables = await tx.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for table in tables.all():
            rows = await tx.scalars(text(f'SELECT t::text FROM "{table}" t'))
            kept = "\n".join(rows.all())
            assert token not in kept
            assert PASSWORD not in kept
