"""The authorization endpoint: from a request to a code, by way of the pages in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from authlib.oauth2 import OAuth2Error
from sqlalchemy.orm import Session as OrmSession

from services.identity.contract import REASON, SESSION_ENDED
from services.identity.domain import authorization as rules
from services.identity.domain import jwts, returning
from services.identity.domain.accounts import Account, granted, may_have
from services.identity.domain.authorization import Refused, Request, Session, Step, Untrusted
from services.identity.domain.clients import Client, secret_hash
from services.identity.domain.jwts import NotOurs
from services.identity.domain.keys import Ring
from services.identity.store import accounts, oauth, sessions
from services.identity.usecases.problems import untrusted
from services.identity.usecases.provider import ProtocolRequest, Provider
from services.identity.usecases.world import Rules, World
from suuupra.clock import Clock
from suuupra.db import Database, Transaction

_PATH: Final = returning.AUTHORIZE


@dataclass(frozen=True, slots=True)
class ToClient:
    """Back to the client, with a code or an error."""

    location: str


@dataclass(frozen=True, slots=True)
class ToSignIn:
    """To the page where somebody signs in, or up; `return_to` leads back here.

    `ended`: the client says that they were signed in there, and are no more.
    """

    return_to: str
    sign_up: bool
    hint: str
    ended: bool


@dataclass(frozen=True, slots=True)
class AskConsent:
    """A page that asks whether the client may act for the user."""

    client: Client
    account: Account
    scopes: Sequence[str]
    redirect_uri: str
    query: str


Next = ToClient | ToSignIn | AskConsent


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoint works with."""

    database: Database
    ring: Ring
    rules: Rules
    clock: Clock

    def world(self, session: OrmSession) -> World:
        return World(session, self.ring, self.clock.now(), self.rules)


async def authorize(desk: Desk, query: str, cookie: str, *, decision: bool | None = None) -> Next:
    """What comes next for a request in a browser with that session cookie.

    `decision` is what the user said on the page that asks. Raises UntrustedRequest.
    """
    async with desk.database.transaction() as tx:
        try:
            pairs = rules.parameters(query)
            client = await tx.run_sync(oauth.client, rules.client_of(pairs))
            known, redirect_uri = rules.trusted_address(pairs, client)
        except Untrusted as error:
            raise untrusted(error) from error
        state = next((value for name, value in pairs if name == "state" and value), None)
        try:
            request = rules.parse(pairs, known, redirect_uri)
            return await _next(tx, desk, request, cookie, decision)
        except Refused as error:
            return ToClient(_refusal(desk, redirect_uri, state, error))


def _refusal(desk: Desk, redirect_uri: str, state: str | None, error: Refused) -> str:
    values = {"error": error.error, "error_description": error.description, "state": state}
    return rules.answer(redirect_uri, {**values, "iss": desk.rules.issuer})


async def _next(tx: Transaction, desk: Desk, request: Request, cookie: str, decision: bool | None) -> Next:
    now = desk.clock.now()
    session = await sessions.find(tx, secret_hash(cookie), now) if cookie else None
    hinted = _hinted(desk, request)
    step = rules.decide(request, session, now, hinted=hinted, consented=decision is not None)
    if session is None or step in (Step.SIGN_IN, Step.SIGN_UP):
        hint = request.values.get("login_hint", "")[:254]
        ended = request.values.get(REASON) == SESSION_ENDED
        return ToSignIn(returning.to_request(request.query), step is Step.SIGN_UP, hint, ended)
    account = await accounts.by_id(tx, session.account_id)
    if account is None:
        raise Refused("login_required", "The user is not there any more.")
    if step is Step.CONSENT:
        asked = request.client.get_allowed_scope(request.values.get("scope"))
        scopes = granted(asked, may_have(account.roles)).split()
        return AskConsent(request.client, account, scopes, request.redirect_uri, request.query)
    if decision is False:
        raise Refused("access_denied", "The user said no.")
    location = await tx.run_sync(_grant, desk, request, session, account)
    await sessions.settle(tx, session.id)
    return ToClient(location)


def _hinted(desk: Desk, request: Request) -> UUID | None:
    hint = request.values.get("id_token_hint")
    if hint is None:
        return None
    try:
        return UUID(jwts.read(hint, desk.ring.remembered, jwts.ID)["sub"])
    except NotOurs as error:
        raise Refused("invalid_request", "id_token_hint was not issued here.") from error


def _grant(orm: OrmSession, desk: Desk, request: Request, session: Session, account: Account) -> str:
    """The address with the code, by authlib, which has the last word on the request."""
    provider = Provider(desk.world(orm))
    provider.signed_in = session
    asked = ProtocolRequest("GET", _PATH, request.values)
    try:
        grant = provider.get_consent_grant(asked, account)
    except OAuth2Error as error:
        raise Refused(error.error, error.description) from error
    answer = provider.create_authorization_response(asked, grant_user=account, grant=grant)
    return str(answer.location)


async def client_behind(database: Database, return_to: str | None) -> tuple[Client, str] | None:
    """The client, and its address, to which somebody who signs in will be sent on; None when they came by themselves."""
    if return_to is None:
        return None
    try:
        pairs = rules.parameters(returning.query_of(return_to))
        async with database.reading() as tx:
            client = await tx.run_sync(oauth.client, rules.client_of(pairs))
        return rules.trusted_address(pairs, client)
    except Untrusted:
        return None
