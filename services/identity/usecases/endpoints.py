"""authlib's endpoints beside the token endpoint: revocation, introspection, logout."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.rpinitiated import EndSessionEndpoint

from services.identity.domain import jwts
from services.identity.domain.clients import Client, secret_hash
from services.identity.domain.jwts import NotOurs
from services.identity.store import oauth
from services.identity.usecases.world import World


@dataclass(frozen=True, slots=True)
class Presented:
    """A token that somebody asks about, with the answers that authlib wants of it."""

    client_id: str
    active: bool
    told: dict[str, Any]
    """What introspection says of it (RFC 7662, 2.2)."""
    grant_id: UUID | None
    jti: str | None
    """Of an access token."""
    expires_at: datetime

    def check_client(self, client: Client) -> bool:
        return client.id == self.client_id

    def is_expired(self) -> bool:
        return not self.active

    def is_revoked(self) -> bool:
        return not self.active


def present(world: World, token: str) -> Presented | None:
    """What a string is, if it is a token of ours."""
    return _refresh(world, token) or _access(world, token)


def _refresh(world: World, token: str) -> Presented | None:
    found = oauth.refresh(world.session, secret_hash(token))
    if found is None:
        return None
    grant = found.grant
    active = found.used_at is None and world.now < found.expires_at and grant.live(world.now)
    told = {
        "token_type": "refresh_token",
        "client_id": grant.client_id,
        "sub": str(grant.account_id),
        "scope": grant.scope,
        "iss": world.rules.issuer,
        "exp": int(found.expires_at.timestamp()),
    }
    return Presented(grant.client_id, active, told, grant.id, None, found.expires_at)


def _access(world: World, token: str) -> Presented | None:
    try:
        claims = jwts.read(token, lambda kid: world.ring.find(kid, world.now), jwts.ACCESS)
    except NotOurs:
        return None
    if not _is_whole(world, claims):
        return None
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    active = world.now < expires_at and access_is_live(world, claims)
    told = {**claims, "token_type": "Bearer"}
    return Presented(claims["client_id"], active, told, _grant_id(claims), claims["jti"], expires_at)


def _is_whole(world: World, claims: dict[str, Any]) -> bool:
    """Whether it says all that ours say. Only a thief of the key could make one that does not."""
    numbers = (claims.get("exp"), claims.get("nbf"))
    texts = (claims.get("sub"), claims.get("client_id"), claims.get("jti"))
    return (
        all(isinstance(number, int) for number in numbers)
        and all(isinstance(text, str) and text for text in texts)
        and (claims.get("iss"), claims.get("aud")) == (world.rules.issuer, world.rules.audience)
        and claims["nbf"] <= world.now.timestamp() + 1
    )


def _grant_id(claims: dict[str, Any]) -> UUID | None:
    return UUID(claims["grant_id"]) if "grant_id" in claims else None


def access_is_live(world: World, claims: dict[str, Any]) -> bool:
    """Whether neither the token nor the grant it came of was revoked."""
    if oauth.is_revoked(world.session, claims["jti"]):
        return False
    grant_id = _grant_id(claims)
    if grant_id is None:
        return True
    grant = oauth.grant(world.session, grant_id)
    return grant is not None and grant.live(world.now)


def _check_token(request: OAuth2Request) -> None:
    """The hint about the token's type is not needed, so it is not looked at (RFC 7009, 2.1)."""
    if "token" not in request.form:
        raise InvalidRequestError("The parameter token is missing.")


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009: a refresh token goes with all that came of its grant, an access token by itself."""

    CLIENT_AUTH_METHODS: Final = ["client_secret_basic", "client_secret_post", "none"]

    def check_params(self, request: OAuth2Request, client: Client) -> None:
        _check_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Presented | None:
        return present(self.server.world, token_string)

    def revoke_token(self, token: Presented, request: OAuth2Request) -> None:
        world: World = self.server.world
        if token.jti is not None:
            oauth.revoke_token(world.session, token.jti, token.expires_at)
        elif token.grant_id is not None:
            oauth.revoke_grant(world.session, token.grant_id, world.now, "revoked by its client")


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """RFC 7662, for confidential clients: of their own tokens, or of all where they were given that."""

    CLIENT_AUTH_METHODS: Final = ["client_secret_basic", "client_secret_post"]

    def check_params(self, request: OAuth2Request, client: Client) -> None:
        _check_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Presented | None:
        return present(self.server.world, token_string)

    def check_permission(self, token: Presented, client: Client, request: OAuth2Request) -> bool:
        return client.introspects or token.check_client(client)

    def introspect_token(self, token: Presented) -> dict[str, Any]:
        return token.told


class EndSession(EndSessionEndpoint):  # type: ignore[misc]
    """RP-initiated logout, as far as it judges the request; who is signed out, `usecases.ending` decides."""

    def _validate_id_token_hint(self, id_token_hint: str) -> dict[str, Any]:
        """Ours, however old: neither its expiry nor its key's retirement matters here (RP-initiated logout, 2)."""
        world: World = self.server.world
        try:
            claims = jwts.read(id_token_hint, world.ring.remembered, jwts.ID)
        except NotOurs as error:
            raise InvalidRequestError("id_token_hint was not issued here.") from error
        if claims.get("iss") != world.rules.issuer:
            raise InvalidRequestError("id_token_hint was not issued here.")
        return claims

    def is_post_logout_redirect_uri_legitimate(self, *asked: object) -> bool:
        """Without a hint the user is asked first, and a registered address leads nowhere else."""
        return True

    def end_session(self, end_session_request: object) -> None:
        """Nothing here."""
