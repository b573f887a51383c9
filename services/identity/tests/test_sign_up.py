"""Signing up and confirming the address, and the letters for it: what people do on pages."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.identity.domain.letters import Kind
from services.identity.store import accounts
from services.identity.tests.beginnings import NEW, SendLetters, link_in, request_of, sign_up
from services.identity.tests.browser import PASSWORD, Browser, answered
from services.identity.tests.conftest import make_user
from services.identity.usecases import writing
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.smtp import MailServer

pytestmark = pytest.mark.integration


async def told(database: Database) -> list[dict[str, object]]:
    """The events that were published."""
    async with database.reading() as tx:
        rows = await tx.execute(text("SELECT data FROM outbox WHERE type = 'user.created' ORDER BY position"))
        return [row[0] for row in rows]


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


async def test_who_signs_up_with_somebodys_address_keeps_no_other_letters_from_them(
    browser: Browser, database: Database, send_letters: SendLetters, mail_server: MailServer, clock: FakeClock
) -> None:
    """And the warning that a password was changed is never left out, however often that is."""
    await make_user(database, "asha@example.org")
    for _ in range(9):
        await sign_up(browser, email="asha@example.org")
    await send_letters()
    assert [it["subject"] for it in mail_server.messages] == ["You already have an account"] * 5
    await browser.open("/account/recover")
    await browser.send(email="asha@example.org")
    await send_letters()
    await browser.open(link_in(mail_server))
    assert (await browser.send(password="another horse battery 9")).status_code == 303
    async with database.transaction() as tx:
        account = await accounts.by_email(tx, "asha@example.org")
        assert account is not None
        for _ in range(6):
            await writing.ask(tx, Kind.CHANGED, clock.now(), email=account.email, name=account.name)
    await send_letters()
    subjects = [it["subject"] for it in mail_server.messages[5:]]
    assert subjects == ["Choose a new password", *["Your password was changed"] * 7]


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
