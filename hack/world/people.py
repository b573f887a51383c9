"""People get accounts: staff from whoever runs the platform, learners by signing up as everybody does."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx

from world.platform import Platform, WorldFailed, checked, eventually

PASSWORD = "learn-by-heart-7"
DOMAIN = "suuupra.example"


@dataclass(frozen=True)
class Person:
    """Somebody of the world; `role` is empty for a learner."""

    name: str
    role: str = ""
    vpa: str = ""
    pin: str = ""

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{DOMAIN}"


CREATOR = Person("Ira Menon", "creator")
SUPPORT = Person("Sam Pinto", "support")
FINANCE = Person("Farah Sheikh", "finance")
OPERATOR = Person("Omkar Joshi", "operator")
STAFF = (CREATOR, SUPPORT, FINANCE, OPERATOR)


def employ(platform: Platform, person: Person) -> None:
    """An account with a role, by an operator's command: no API gives roles. Left as it is when it is there."""
    words = ("create-user", person.email, "--name", person.name, "--role", person.role, "--keep")
    platform.identity(*words, env=[f"SUUUPRA_NEW_PASSWORD={PASSWORD}"])


def sign_up(platform: Platform, person: Person) -> None:
    """Sign up as a learner does: form, letter, link. Who has an account already is left as they are."""
    browser = platform.browser()
    if _signs_in(browser, person):
        return
    form = {"email": person.email, "name": person.name, "password": PASSWORD}
    checked(browser.get("/account/sign-up"))
    checked(browser.post("/account/sign-up", data=form))
    link = eventually(lambda: _link_for(browser, person), f"a letter for {person.email}")
    checked(browser.get(link))
    confirmed = checked(browser.post("/account/verify", data={"token": _token(link)}))
    if not confirmed.is_redirect:
        raise WorldFailed(f"{person.email} was not confirmed: {words_of(confirmed.text)}")


def _signs_in(browser: httpx.Client, person: Person) -> bool:
    form = {"email": person.email, "password": PASSWORD}
    return browser.post("/account/login", data=form).is_redirect


def _link_for(browser: httpx.Client, person: Person) -> str | None:
    """The address in the newest letter to somebody that confirms an account."""
    listed = checked(browser.get("/mail", params={"to": person.email})).text
    for letter in dict.fromkeys(re.findall(r"/mail/\d+", listed)):
        text = html.unescape(checked(browser.get(letter)).text)
        found = re.search(r"/account/verify\?[^\s\"'<]+", text)
        if found:
            return found[0]
    return None


def _token(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


def words_of(page: str) -> str:
    """What a page says, the beginning of it."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())[:300]
