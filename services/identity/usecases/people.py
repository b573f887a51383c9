"""What people see and change of themselves, and what operators change of people."""

from collections.abc import Iterable
from uuid import UUID

from services.identity.contract import OrganisationView, UserPatch, UserView
from services.identity.domain import jwts
from services.identity.domain.accounts import Account, person_claims, roles_of
from services.identity.domain.jwts import NotOurs
from services.identity.store import accounts, sessions
from services.identity.usecases.authorizing import Desk
from services.identity.usecases.endpoints import access_is_live
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import FieldError, NotFound, Unauthenticated
from suuupra.etags import Precondition
from suuupra.ids import new_id


def _not_there() -> NotFound:
    error = FieldError("header.Authorization", "must be the token of a user", "sign in as one")
    return NotFound("There is no such user.", errors=[error])


def view(account: Account) -> UserView:
    """The account as its owner sees it."""
    return UserView(
        id=account.id,
        email=account.email,
        name=account.name,
        locale=account.locale,
        roles=[str(role) for role in account.roles],
        organisations=[
            OrganisationView(id=it.organisation_id, slug=it.slug, name=it.name, role=it.role)
            for it in account.memberships
        ],
        created_at=account.created_at,
    )


async def me(tx: Transaction, subject: str) -> Account:
    """Whoever the token is about. Raises NotFound for a client, which is nobody."""
    account = await accounts.by_id(tx, _user_id(subject))
    if account is None or not account.active:
        raise _not_there()
    return account


async def describe(
    tx: Transaction, clock: Clock, subject: str, patch: UserPatch, precondition: Precondition
) -> Account:
    """Change one's name or language. Raises NotFound, PreconditionFailed."""
    account = await accounts.locked(tx, _user_id(subject))
    if account is None or not account.active:
        raise _not_there()
    precondition.require(account.version)
    name, locale = patch.name or account.name, patch.locale or account.locale
    await accounts.describe(tx, account.id, name, locale, clock.now())
    return await me(tx, subject)


def _user_id(subject: str) -> UUID:
    try:
        return UUID(subject)
    except ValueError:
        raise _not_there() from None


async def userinfo(desk: Desk, token: str) -> dict[str, object]:
    """The claims of a user, for a client that holds their token (OpenID Connect Core, 5.3). Raises Unauthenticated."""
    now = desk.clock.now()
    try:
        claims = jwts.read(token, lambda kid: desk.ring.find(kid, now), jwts.ACCESS)
    except NotOurs:
        raise _revoked() from None
    async with desk.database.transaction() as tx:
        live = await tx.run_sync(lambda orm: access_is_live(desk.world(orm), claims))
        account = await accounts.by_id(tx, _user_id(claims["sub"])) if live else None
    if account is None or not account.active:
        raise _revoked()
    return person_claims(account, claims["scope"])


def _revoked() -> Unauthenticated:
    challenge = 'Bearer error="invalid_token", error_description="the token was revoked"'
    error = FieldError("header.Authorization", "must be a token that was not revoked", "sign in again")
    return Unauthenticated("The token was revoked.", errors=[error], challenge=challenge)


async def set_roles(tx: Transaction, clock: Clock, email: str, roles: Iterable[str]) -> Account:
    """Replace somebody's roles; tokens follow with the next refresh. Raises NotFound, ValueError for what is no role."""
    wanted = roles_of(roles)
    account = await by_email(tx, email)
    await accounts.set_roles(tx, account.id, wanted, clock.now())
    return await me(tx, str(account.id))


async def by_email(tx: Transaction, email: str) -> Account:
    """Somebody by their address. Raises NotFound."""
    account = await accounts.by_email(tx, email)
    if account is None:
        raise NotFound(f"There is no account with the address {email}.")
    return account


async def shut_out(tx: Transaction, clock: Clock, email: str, *, let_in: bool = False) -> None:
    """Disable an account and sign it out everywhere, or enable it again. Raises NotFound."""
    account, now = await by_email(tx, email), clock.now()
    await accounts.set_disabled(tx, account.id, None if let_in else now)
    if not let_in:
        await sessions.end_all(tx, account.id, now, "account disabled")


async def add_organisation(tx: Transaction, clock: Clock, slug: str, name: str) -> UUID:
    """A new organisation; the id of the one that has this slug if there is one."""
    found = await accounts.organisation(tx, slug)
    if found is not None:
        return found
    made = new_id()
    await accounts.add_organisation(tx, made, slug, name, clock.now())
    return made


async def join(tx: Transaction, clock: Clock, email: str, slug: str, role: str) -> None:
    """Make somebody a member. Raises NotFound."""
    account = await by_email(tx, email)
    organisation = await accounts.organisation(tx, slug)
    if organisation is None:
        raise NotFound(f"There is no organisation {slug}.")
    await accounts.join(tx, account.id, organisation, role, clock.now())
