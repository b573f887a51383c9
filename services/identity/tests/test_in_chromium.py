"""The pages in a real browser, with script switched off: forms, cookies, and the policy that follows a form's redirects."""

import asyncio
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from services.identity.tests.browser import PASSWORD, Application
from services.identity.tests.conftest import SHOP, make_user
from services.identity.tests.process import Process
from suuupra.db import Database

pytestmark = pytest.mark.integration


@pytest.fixture
def chromium(email: str) -> Iterator[BrowserContext]:
    """A phone-sized window that runs no script; opened after `email`, for Playwright brings a running loop."""
    found = shutil.which("chromium")
    assert found, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        context = launched.new_context(java_script_enabled=False, viewport={"width": 400, "height": 800})
        context.set_default_timeout(15_000)
        yield context
        launched.close()


@pytest.fixture
def page(chromium: BrowserContext) -> Iterator[Page]:
    """A tab; whatever the browser complains about fails the test."""
    heard: list[str] = []
    made = chromium.new_page()
    made.on("console", lambda message: heard.append(message.text))  # among them what the policy refuses
    made.on("pageerror", lambda error: heard.append(str(error)))
    yield made
    assert [it for it in heard if "422" not in it] == []  # a form that must be corrected is answered with it


@pytest.fixture
def email(provider: Process, provider_url: str) -> str:
    """Somebody with an account."""

    async def make() -> str:
        database = Database(provider_url, application="test", pool_size=1)
        account = await make_user(database, f"{secrets.token_hex(6)}@example.org")
        await database.close()
        return account.email

    return asyncio.run(make())


def test_somebody_signs_in_and_arrives_at_a_client_of_another_origin(
    page: Page, provider: Process, email: str
) -> None:
    page.route("https://shop.example/**", lambda route: route.fulfill(body="the shop"))
    shop = Application(httpx.AsyncClient(), SHOP.id, SHOP.redirect_uris[0])
    page.goto(provider.url + shop.request())
    assert page.title() == "Sign in · Suuupra"
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill("a wrong guess 1")
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_text("The address or the password is wrong.").is_visible()
    assert page.get_by_label("E-mail").input_value() == email
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("https://shop.example/callback?*")
    assert "code" in parse_qs(urlsplit(page.url).query)


def test_somebody_lets_a_program_on_their_own_machine_in(page: Page, provider: Process, email: str) -> None:
    page.route("http://127.0.0.1:45678/**", lambda route: route.fulfill(body="You may close this window."))
    cli = Application(httpx.AsyncClient(), "cli", "http://127.0.0.1:45678/callback")
    page.goto(provider.url + cli.request())
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("http://127.0.0.1:45678/callback?*")
    assert "code" in parse_qs(urlsplit(page.url).query)


def test_somebody_signs_up_and_out(page: Page, provider: Process, email: str) -> None:
    page.goto(f"{provider.url}/account/sign-up")
    page.get_by_label("Name").fill("Asha Rao")
    page.get_by_label("E-mail").fill(f"{datetime.now(UTC).timestamp():.0f}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    assert page.title() == "Look into your mail · Suuupra"
    page.goto(f"{provider.url}/oauth/logout")
    assert page.title() == "You are signed out · Suuupra"
