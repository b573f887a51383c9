"""What every journey begins with: a browser, an ear for its complaints, and accounts to pay from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.cluster.banks import Account, Bank
from tests.cluster.kube import Kube

from .accessible import script
from .browser import DESK, Complaints, launch
from .people import Learner, confirm, sign_up

RUPEES = 50_000
"""What an account has in the beginning: more than all journeys spend."""


@pytest.fixture(scope="session")
def ear(platform_url: str) -> Complaints:
    """Hears what every page complains of, whoever opened it."""
    return Complaints(platform_url)


@pytest.fixture(scope="module")
def browser(ear: Complaints) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        chromium.on("context", ear.listen)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script."""
    return script(tmp_path_factory.mktemp("axe"))


@pytest.fixture(autouse=True)
def complaints(ear: Complaints) -> Iterator[Complaints]:
    """After every journey: no page of it has complained, but of what the journey said that it expects."""
    yield ear
    ear.settle()


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture
def context(browser: Browser, platform_url: str, learner: Learner) -> Iterator[BrowserContext]:
    """A browser in which somebody new has signed up and is signed in."""
    opened = browser.new_context(viewport=DESK)
    page = opened.new_page()
    page.goto(platform_url)
    sign_up(page, learner)
    confirm(page, learner)
    page.close()
    yield opened
    opened.close()


def _account_at(kube: Kube, platform_url: str, code: str) -> Iterator[Account]:
    bank = Bank(kube, code)
    made = bank.open_account(platform_url, "Meera Iyer", RUPEES)
    yield made
    bank.hide(made)


@pytest.fixture(scope="session")
def account(kube: Kube, platform_url: str, books_that_balance: None) -> Iterator[Account]:
    """Has enough, at the merchant's own bank, which refuses nobody by chance."""
    yield from _account_at(kube, platform_url, "asha")


@pytest.fixture(scope="session")
def elsewhere(kube: Kube, platform_url: str, books_that_balance: None) -> Iterator[Account]:
    """Has enough, at another bank than the merchant's: one that refuses a payment in a hundred by chance."""
    yield from _account_at(kube, platform_url, "banyan")
