"""Signing out, asked for by a client or by the user (OpenID Connect RP-Initiated Logout)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from authlib.oauth2 import OAuth2Error
from sqlalchemy.orm import Session as OrmSession

from services.identity.domain.authorization import Session
from services.identity.domain.clients import secret_hash
from services.identity.store import sessions
from services.identity.usecases.authorizing import Desk
from services.identity.usecases.provider import ProtocolRequest, Provider
from suuupra.errors import BadRequest, FieldError


class LogoutRefused(BadRequest):
    """A logout request that names a token which is not ours, or another client's."""

    slug, title = "logout-refused", "This sign-out request cannot be trusted"


@dataclass(frozen=True, slots=True)
class AskSignOut:
    """A page that asks: nobody proved that this is what the user wants."""

    values: Mapping[str, str]
    location: str | None
    """Where the client wants the user afterwards."""


@dataclass(frozen=True, slots=True)
class SignedOut:
    """It is done. `location` is where the client wants the user; None: our own page."""

    location: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    location: str | None
    claims: Mapping[str, Any] | None
    """Of the ID token that the client showed: it had signed this user in."""


async def sign_out(
    desk: Desk, pairs: Sequence[tuple[str, str]], cookie: str, *, confirmed: bool
) -> AskSignOut | SignedOut:
    """End the session of this browser, and the one that the client's ID token names. Raises LogoutRefused."""
    values = {name: value for name, value in pairs if value}
    async with desk.database.transaction() as tx:
        asked = await tx.run_sync(_judged, desk, values)
        now = desk.clock.now()
        session = await sessions.find(tx, secret_hash(cookie), now) if cookie else None
        if session is not None and not (confirmed or _about(session, asked.claims)):
            return AskSignOut(values, asked.location)
        for ended in _ended(session, asked.claims):
            await sessions.end(tx, ended, now)
    return SignedOut(asked.location)


def _judged(orm: OrmSession, desk: Desk, values: Mapping[str, str]) -> _Asked:
    provider = Provider(desk.world(orm))
    try:
        judged = provider.validate_endpoint_request(
            "end_session", ProtocolRequest("POST", "/oauth/logout", values)
        )
    except OAuth2Error as error:
        rule = error.description or "must be a request of a registered client"
        told = FieldError("query.id_token_hint", rule, "send an ID token that was issued to this client")
        raise LogoutRefused(f"{rule}.", errors=[told]) from error
    return _Asked(judged.redirect_uri, judged.id_token_claims)


def _about(session: Session, claims: Mapping[str, Any] | None) -> bool:
    """Whether the ID token was issued to whoever is signed in here."""
    return claims is not None and claims.get("sub") == str(session.account_id)


def _ended(session: Session | None, claims: Mapping[str, Any] | None) -> set[UUID]:
    ended = {session.id} if session else set()
    if claims is not None and "sid" in claims:
        ended.add(UUID(claims["sid"]))
    return ended
