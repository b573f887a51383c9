"""Signing in and recovering, and that nothing of it tells whether an address has an account."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, event, text

from services.identity.domain.letters import MOST_AN_HOUR
from services.identity.tests.beginnings import NEW, SendLetters, link_in, request_of, sign_up
from services.identity.tests.browser import Browser, answered
from services.identity.tests.conftest import SITE, make_user
from services.identity.usecases import recovering
from services.identity.usecases.hashing import HashingBusy
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.smtp import MailServer

pytestmark = pytest.mark.integration


# Why somebody is there


async def test_the_sign_in_page_says_that_a_session_ended_when_the_client_says_so_and_only_then(
    browser: Browser,
) -> None:
    told = ["Your session has ended. Sign in to go on where you were."]
    for given, expected in (
        ({"reason": "session_ended"}, told),
        ({"reason": "Call +91 12345"}, []),
        ({}, []),
    ):
        led = await browser.open(await request_of(browser, **given))
        await browser.open(led.headers["location"])
        assert browser.errors() == expected
        assert "12345" not in browser.text()


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


async def test_recovery_does_the_same_work_with_and_without_an_account(
    database: Database, clock: FakeClock
) -> None:
    """The same statements, and a commit that has to reach the disk, also when there were too many already."""
    await make_user(database, "known@example.org")
    await make_user(database, "disabled@example.org")
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE account SET disabled_at = now() WHERE email LIKE 'disabled%'"))
    for _ in range(MOST_AN_HOUR + 1):
        done = {}
        for email in ("known@example.org", "unknown@example.org", "disabled@example.org"):
            with recorded() as statements:
                await recovering.ask(database, clock, email)
            done[email] = statements
        assert len({tuple(statements) for statements in done.values()}) == 1, done
    writes = text("SELECT email, count(*) FROM letter GROUP BY email ORDER BY email")
    async with database.reading() as tx:
        kept = [tuple(row) for row in await tx.execute(writes)]
    names = ("disabled@example.org", "known@example.org", "unknown@example.org")
    assert kept == [(name, MOST_AN_HOUR) for name in names]


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


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


async def test_nobody_shuts_somebody_out_of_a_browser_in_which_they_signed_in_before(
    browser: Browser, open_browser: Callable[[], Browser], database: Database, clock: FakeClock
) -> None:
    await make_user(database, "asha@example.org")
    assert (await browser.sign_in("asha@example.org")).status_code == 303
    attacker, elsewhere = open_browser(), open_browser()
    for _ in range(20):
        await attacker.sign_in("asha@example.org", "a wrong guess 1")
    assert (await elsewhere.sign_in("asha@example.org")).status_code == 429
    assert (await browser.sign_in("asha@example.org")).status_code == 303
    assert (
        await attacker.sign_in("asha@example.org")
    ).status_code == 429  # her success opens no door for others
    for _ in range(20):  # nor is her own browser one to guess in for ever
        assert (await browser.sign_in("asha@example.org", "a wrong guess 1")).status_code == 422
    assert (await browser.sign_in("asha@example.org")).status_code == 429
    clock.advance(timedelta(minutes=15))
    assert (await browser.sign_in("asha@example.org")).status_code == 303


async def test_a_browser_is_known_for_those_only_who_signed_in_there(
    browser: Browser, open_browser: Callable[[], Browser], database: Database
) -> None:
    """Whoever has an account of their own guesses no better at that of others. A shared machine knows all its people."""
    for email in ("asha@example.org", "ravi@example.org", "thief@example.org"):
        await make_user(database, email)
    for email in ("asha@example.org", "ravi@example.org"):
        assert (await browser.sign_in(email)).status_code == 303
    thief = open_browser()
    await thief.sign_in("thief@example.org")
    for email in ("asha@example.org", "ravi@example.org"):
        for _ in range(20):
            await thief.sign_in(email, "a wrong guess 1")
        assert (await thief.sign_in(email)).status_code == 429
        assert (await browser.sign_in(email)).status_code == 303


async def test_a_new_password_by_mail_ends_the_wait_and_makes_the_browser_known(
    browser: Browser,
    open_browser: Callable[[], Browser],
    database: Database,
    send_letters: SendLetters,
    mail_server: MailServer,
) -> None:
    await make_user(database, "asha@example.org")
    attacker = open_browser()
    for _ in range(20):
        await attacker.sign_in("asha@example.org", "a wrong guess 1")
    assert (await browser.sign_in("asha@example.org")).status_code == 429
    await browser.open("/account/recover")
    await browser.send(email="asha@example.org")
    await send_letters()
    await browser.open(link_in(mail_server))
    await browser.send(password="another horse battery 9")
    for _ in range(20):
        await attacker.sign_in("asha@example.org", "a wrong guess 1")
    assert (await browser.sign_in("asha@example.org", "another horse battery 9")).status_code == 303


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
    session, known = (await browser.sign_in("asha@example.org")).headers.get_list("set-cookie")
    assert (session.partition("=")[0], known.partition("=")[0]) == ("suuupra_sso", "suuupra_known")
    assert {"HttpOnly", "Path=/oauth", "SameSite=lax"} <= set(session.split("; "))
    assert {"HttpOnly", "Path=/account/login", "SameSite=lax"} <= set(known.split("; "))


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
