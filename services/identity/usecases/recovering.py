"""A new password for somebody who forgot theirs: a letter to their address, whether or not it has an account."""

from datetime import datetime
from typing import Final

from services.identity.domain.accounts import Account
from services.identity.domain.clients import secret_hash
from services.identity.domain.letters import Kind
from services.identity.domain.passwords import fault
from services.identity.store import accounts, browsers, sessions, signups
from services.identity.usecases import writing
from services.identity.usecases.hashing import Hasher
from services.identity.usecases.problems import FormFault, link_useless
from services.identity.usecases.signing_in import remembered
from suuupra.clock import Clock
from suuupra.db import Database, Transaction

_FIX: Final = "ask for another link"
_OPENS: Final = (Kind.RECOVER, Kind.KNOWN)


async def ask(database: Database, clock: Clock, email: str) -> None:
    """Send a link, if the address has an account. Whoever asks sees no difference, nor is there one in what is done:
    a letter to nobody is written and thrown away."""
    now = clock.now()
    async with database.transaction() as tx:
        account = await accounts.by_email(tx, email)
        if account is not None and account.active:
            await writing.ask(
                tx, Kind.RECOVER, now, email=account.email, name=account.name, account_id=account.id
            )
        else:
            await writing.ask(tx, Kind.NOBODY, now, email=email, name="")


async def look(database: Database, clock: Clock, token: str) -> str:
    """The address behind a link. Raises LinkUseless."""
    async with database.transaction() as tx:
        return (await _account(tx, token, clock.now())).email


async def choose(database: Database, hasher: Hasher, clock: Clock, token: str, password: str) -> str:
    """Set the new password, and sign them out everywhere; the cookie by which this browser, and no other, is known.

    Raises LinkUseless, HashingBusy, FormFault.
    """
    now = clock.now()
    async with database.transaction() as tx:
        account = await _account(tx, token, now)
    wrong = fault(password, email=account.email, name=account.name)
    if wrong is not None:
        raise FormFault({"password": wrong})
    password_hash = await hasher.hash(password)
    async with database.transaction() as tx:
        account = await _account(tx, token, now)
        await accounts.set_password(tx, account.id, password_hash, now)
        await signups.remove_links(tx, account.id)
        await signups.forget_failures(tx, account.email)
        await browsers.forget(tx, account.id)
        browser = await remembered(tx, account.id, now)
        await sessions.end_all(tx, account.id, now, "password changed")
        await writing.ask(
            tx, Kind.CHANGED, now, email=account.email, name=account.name, account_id=account.id
        )
    return browser


async def _account(tx: Transaction, token: str, now: datetime) -> Account:
    opened = await signups.opened(tx, secret_hash(token))
    if opened is None or opened.account_id is None or opened.kind not in _OPENS or opened.expires_at <= now:
        raise link_useless(_FIX)
    account = await accounts.locked(tx, opened.account_id)
    if account is None or not account.active:
        raise link_useless(_FIX)
    return account
