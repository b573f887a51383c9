"""Signing in with a password, and the session that comes of it."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.identity.domain import returning
from services.identity.domain.authorization import Session, mark_of
from services.identity.domain.clients import secret_hash
from services.identity.store import accounts, browsers, sessions, signups
from services.identity.usecases.hashing import Hasher
from services.identity.usecases.problems import FormFault, too_many_tries
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.ids import new_id

WINDOW: Final = timedelta(minutes=15)
"""Over which wrong passwords are counted, by address, or by browser where its owner has signed in before."""
WRONG: Final = "The address or the password is wrong."


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session, with the only copy of its cookie, and of that by which the browser is known from now on."""

    id: UUID
    cookie: str
    expires_at: datetime
    browser: str


async def open_session(
    tx: Transaction,
    account_id: UUID,
    now: datetime,
    life: timedelta,
    *,
    auth_time: datetime,
    return_to: str | None,
    browser: str = "",
) -> Opened:
    """Sign somebody in, for the request at `return_to` if they came from one. `browser`: what it was known by."""
    cookie = secrets.token_urlsafe(32)
    fresh_for = mark_of(returning.query_of(return_to)) if return_to else None
    session = Session(new_id(), account_id, auth_time, ("pwd",), fresh_for)
    sessions.add(tx, session, secret_hash(cookie), now, now + life)
    return Opened(session.id, cookie, now + life, await remembered(tx, account_id, now, browser))


async def remembered(tx: Transaction, account_id: UUID, now: datetime, browser: str = "") -> str:
    """Know a browser as theirs; its cookie, the one that it has if we gave it."""
    known = bool(browser) and await browsers.knows(tx, secret_hash(browser))
    cookie = browser if known else secrets.token_urlsafe(32)
    await browsers.remember(tx, secret_hash(cookie), account_id, now)
    return cookie


@dataclass(frozen=True, slots=True)
class SignInForm:
    """What somebody wrote."""

    email: str
    password: str
    return_to: str | None
    browser: str = ""
    """The cookie by which the browser is known; empty without one."""


async def sign_in(
    database: Database, hasher: Hasher, clock: Clock, form: SignInForm, *, life: timedelta, tries: int
) -> Opened:
    """Open a session. Raises FormFault for a wrong address or password, TooManyTries, HashingBusy.

    An address without an account takes the same steps and the same time. In a browser where its owner has signed in
    before, what others tried elsewhere does not count.
    """
    now, browser = clock.now(), secret_hash(form.browser)
    async with database.reading() as tx:
        account = await accounts.by_email(tx, form.email)
        known = await browsers.failures(tx, browser, form.email, now - WINDOW) if form.browser else None
        count, since = known or await signups.failures(tx, form.email, now - WINDOW)
    if count >= tries:
        raise too_many_tries(int((since + WINDOW - now).total_seconds()))
    right = await hasher.matches(account.password_hash if account else None, form.password)
    if account is None or not right or not account.active:
        async with database.transaction() as tx:
            if known is not None:
                await browsers.count_failure(tx, browser, form.email, now, WINDOW)
            else:
                await signups.count_failure(tx, form.email, now, WINDOW)
        raise FormFault({"": WRONG})
    renewed = await hasher.hash(form.password) if hasher.outdated(account.password_hash) else None
    async with database.transaction() as tx:
        if known is None:
            await signups.forget_failures(tx, form.email)
        if renewed is not None:
            await accounts.rehash(tx, account.id, account.password_hash, renewed)
        return await open_session(
            tx, account.id, now, life, auth_time=now, return_to=form.return_to, browser=form.browser
        )
