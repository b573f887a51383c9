"""How an account comes to be: a form, a letter, a link. Nothing of it tells whether an address has an account."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.identity import contract
from services.identity.domain.accounts import Account, Role, roles_of
from services.identity.domain.clients import secret_hash
from services.identity.domain.letters import LIFE, Kind
from services.identity.store import accounts, signups
from services.identity.store.signups import Signup
from services.identity.usecases import writing
from services.identity.usecases.hashing import Hasher
from services.identity.usecases.problems import FormFault, link_useless
from services.identity.usecases.signing_in import Opened, open_session
from suuupra import db, outbox
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.errors import Conflict
from suuupra.ids import new_id

MOST_TRIES: Final = 5
"""Wrong passwords after which a link confirms nothing any more."""
_FIX: Final = "sign up again, or sign in if you did so already"


class AddressTaken(Conflict):
    """The address has an account: told to operators only."""

    slug, title = "address-taken", "This address has an account"


@dataclass(frozen=True, slots=True)
class SignUpForm:
    """What somebody wrote; checked."""

    email: str
    name: str
    password: str
    locale: str
    return_to: str | None


async def sign_up(database: Database, hasher: Hasher, clock: Clock, form: SignUpForm) -> str:
    """Send a letter, whoever the address belongs to; the value of a cookie for this browser. Raises HashingBusy."""
    password_hash = await hasher.hash(form.password)  # before anything is known: both ways take the same time
    browser, now = secrets.token_urlsafe(32), clock.now()
    async with database.transaction() as tx:
        known = await accounts.by_email(tx, form.email)
        if known is not None:
            await writing.ask(tx, Kind.KNOWN, now, email=known.email, name=known.name, account_id=known.id)
            return browser
        signup = Signup(
            id=new_id(),
            email=form.email,
            name=form.name,
            locale=form.locale,
            password_hash=password_hash,
            browser_hash=secret_hash(browser),
            return_to=form.return_to,
            tries=0,
            created_at=now,
            expires_at=now + LIFE[Kind.CONFIRM] + timedelta(hours=1),
        )
        signups.add(tx, signup)
        await tx.flush()
        await writing.ask(tx, Kind.CONFIRM, now, email=form.email, name=form.name, signup_id=signup.id)
    return browser


@dataclass(frozen=True, slots=True)
class ToConfirm:
    """What the page behind a link shows."""

    email: str
    needs_password: bool
    """Opened in another browser than the one that signed up: whoever it is must know the password."""
    return_to: str | None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An account was made, and this browser is signed in."""

    account_id: UUID
    session: Opened
    return_to: str | None


async def look(database: Database, clock: Clock, token: str, browser: str) -> ToConfirm:
    """What a link would confirm; opening it changes nothing, since mail programs open links too. Raises LinkUseless."""
    async with database.transaction() as tx:
        signup = await _signup(tx, token, clock.now())
    return ToConfirm(signup.email, not _same_browser(signup, browser), signup.return_to)


async def confirm(
    database: Database, hasher: Hasher, clock: Clock, token: str, browser: str, password: str, life: timedelta
) -> Confirmed:
    """Make the account. Raises LinkUseless, HashingBusy, and FormFault for a wrong password."""
    now = clock.now()
    async with database.transaction() as tx:
        signup = await _signup(tx, token, now)
    if not _same_browser(signup, browser):
        await _require_password(database, hasher, signup, password)
    with db.conflict({"account_email_key_key": link_useless(_FIX)}):
        async with database.transaction() as tx:
            signup = await _signup(tx, token, now)
            account = Account(
                id=new_id(),
                email=signup.email,
                name=signup.name,
                locale=signup.locale,
                roles=roles_of(()),
                password_hash=signup.password_hash,
                version=1,
                created_at=now,
                changed_at=now,
            )
            await create(tx, account)
            # The password was typed when they signed up, or just now.
            auth_time = signup.created_at if _same_browser(signup, browser) else now
            session = await open_session(
                tx, account.id, now, life, auth_time=auth_time, return_to=signup.return_to
            )
    return Confirmed(account.id, session, signup.return_to)


async def create(tx: Transaction, account: Account) -> None:
    """Keep the account and tell the platform. The address must be free: `account_email_key_key`."""
    accounts.add(tx, account)
    await tx.flush()
    await signups.remove_all(tx, account.email)
    event = contract.UserCreated(
        user_id=account.id,
        email=account.email,
        name=account.name,
        locale=account.locale,
        roles=[str(role) for role in account.roles],
        created_at=account.created_at,
    )
    await outbox.append(tx, account.id, event, at=account.created_at)


async def create_verified(
    tx: Transaction,
    *,
    email: str,
    name: str,
    locale: str,
    roles: tuple[Role, ...],
    password_hash: str,
    now: datetime,
) -> Account:
    """An account made by an operator, who vouches for the address. Raises AddressTaken."""
    if await accounts.by_email(tx, email) is not None:
        raise AddressTaken(f"{email} has an account.")
    account = Account(
        id=new_id(),
        email=email,
        name=name,
        locale=locale,
        roles=roles,
        password_hash=password_hash,
        version=1,
        created_at=now,
        changed_at=now,
    )
    await create(tx, account)
    return account


async def _signup(tx: Transaction, token: str, now: datetime) -> Signup:
    opened = await signups.opened(tx, secret_hash(token))
    if opened is None or opened.signup_id is None or opened.expires_at <= now:
        raise link_useless(_FIX)
    signup = await signups.locked(tx, opened.signup_id)
    if signup is None or signup.expires_at <= now or signup.tries >= MOST_TRIES:
        raise link_useless(_FIX)
    return signup


def _same_browser(signup: Signup, browser: str) -> bool:
    return hmac.compare_digest(signup.browser_hash, secret_hash(browser))


async def _require_password(database: Database, hasher: Hasher, signup: Signup, password: str) -> None:
    if not password:
        raise FormFault({"password": "Type the password that you chose when you signed up."})
    if await hasher.matches(signup.password_hash, password):
        return
    async with database.transaction() as tx:
        await signups.count_try(tx, signup.id)
    raise FormFault({"password": "This is not the password that was chosen with this address."})
