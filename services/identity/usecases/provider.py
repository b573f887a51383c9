"""The protocol, by authlib: its authorization server with our grants, for one request in one transaction.

authlib does not await, so it runs inside `Transaction.run_sync`, where SQLAlchemy lets plain calls reach the database.
An error of the protocol is an answer, not an exception: what it caused (a grant revoked) is committed with it.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidScopeError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core.grants.code import OpenIDToken
from prometheus_client import Counter

from services.identity.domain.accounts import Account
from services.identity.domain.authorization import Session
from services.identity.domain.clients import Client, secret_hash
from services.identity.domain.grants import Code, Grant, RefreshToken, Verdict, judge_code, judge_refresh
from services.identity.store import accounts, oauth
from services.identity.usecases.endpoints import EndSession, Introspection, Revocation
from services.identity.usecases.world import World
from suuupra import logs

METHODS: Final = ["client_secret_basic", "client_secret_post", "none"]
"""How clients may authenticate; `none` is for public ones, see Client.check_endpoint_auth_method."""
_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")

REVOKED = Counter(
    "suuupra_identity_grants_revoked_total",
    "Grants revoked because something of theirs came twice.",
    ["because"],
)
_log = logs.get_logger(__name__)


class ProtocolRequest(OAuth2Request):  # type: ignore[misc]
    """A request as authlib reads it."""

    def __init__(
        self, method: str, path: str, values: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> None:
        # authlib looks at the address only to insist on TLS, which ends at the gateway.
        super().__init__(method, f"https://identity{path}", headers=dict(headers or {}))
        self._values = dict(values)
        self.payload = BasicOAuth2Payload(self._values)

    @property
    def form(self) -> dict[str, str]:
        return self._values if self.method == "POST" else {}

    @property
    def args(self) -> dict[str, str]:
        return self._values if self.method == "GET" else {}


@dataclass(slots=True)
class Answer:
    """What to send back."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @location.setter
    def location(self, address: str) -> None:
        self.headers["Location"] = address


class Provider(AuthorizationServer):  # type: ignore[misc]
    """authlib's server, knowing our clients and our tokens."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.grant: Grant | None = None
        """What the code or token in hand was granted."""
        self.signed_in: Session | None = None
        """Whoever grants, at the authorization endpoint."""
        self._account: Account | None = None
        self.register_token_generator("default", self._token)
        self.register_client_auth_method("client_secret_basic", authenticated_by_header)
        self.register_grant(CodeGrant, [OnlyS256(), IdTokens(world)])
        self.register_grant(RefreshGrant, [IdTokens(world)])
        self.register_grant(CredentialsGrant)
        for endpoint in (Revocation, Introspection, EndSession):
            self.register_endpoint(endpoint)
        self.register_extension(_Issuer(world.rules.issuer))

    def query_client(self, client_id: str) -> Client | None:
        return oauth.client(self.world.session, client_id) if _ID.fullmatch(client_id) else None

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: object, headers: Sequence[tuple[str, str]]) -> Answer:
        return Answer(status, body, dict(headers))

    def _token(
        self,
        *,
        grant_type: str,
        client: Client,
        user: Account | None,
        scope: str | None,
        expires_in: int | None,
        include_refresh_token: bool,
    ) -> dict[str, Any]:
        given = self.world.scope_of(user, scope or "") if user else scope or ""
        token = {
            "access_token": self.world.access_token(client.id, given, user, self.grant),
            "token_type": "Bearer",
            "expires_in": int(self.world.rules.access_life.total_seconds()),
            "scope": given,
        }
        return token | {"refresh_token": secrets.token_urlsafe(32)} if include_refresh_token else token

    def save_token(self, token: Mapping[str, Any], request: OAuth2Request) -> None:
        """Keep the refresh token; access tokens are kept by nobody."""
        if "refresh_token" in token and self.grant is not None:
            hash_ = secret_hash(token["refresh_token"])
            oauth.add_refresh(self.world.session, hash_, self.grant.id, self.grant.expires_at)

    def account_of(self, grant: Grant) -> Account | None:
        """Whoever granted it, unless they have been shut out."""
        if self._account is None or self._account.id != grant.account_id:
            self._account = accounts.by_id_now(self.world.session, grant.account_id)
        return self._account if self._account and self._account.active else None

    def revoke(self, grant: Grant, because: str) -> None:
        """Something was presented twice: what came of the grant is in somebody else's hands too."""
        if oauth.revoke_grant(self.world.session, grant.id, self.world.now, because):
            _log.warning("grant revoked", because=because, grant_id=str(grant.id), client_id=grant.client_id)


def authenticated_by_header(
    query_client: Callable[[str], Client | None], request: OAuth2Request
) -> Client | None:
    """The client of a Basic header, if its secret is right.

    RFC 6749, 2.3.1 has both parts encoded as in a form, where a space is a plus; many libraries send them as they are.
    """
    given = basic_credentials(request.headers.get("Authorization", ""))
    if given is None:
        return None
    for client_id, secret in (given, (unquote_plus(given[0]), unquote_plus(given[1]))):
        client = query_client(client_id)
        if client is not None and client.check_client_secret(secret):
            return client
    return None


def basic_credentials(authorization: str) -> tuple[str, str] | None:
    """Id and secret of a Basic header (RFC 7617), as they were sent; None when it is none, or either is missing."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (client_id, secret) if scheme.lower() == "basic" and client_id and secret else None


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """Authorization code (RFC 6749, 4.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    server: Provider

    def generate_authorization_code(self) -> str:
        return secrets.token_urlsafe(32)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        world, session, values = self.server.world, self.server.signed_in, request.payload.data
        if session is None:
            raise LookupError("a code is granted by somebody who is signed in")
        signed_in = (session.auth_time, session.amr)
        grant = world.new_grant(request.client.id, request.user, session.id, request.scope or "", signed_in)
        made = Code(
            hash=secret_hash(code),
            grant=grant,
            redirect_uri=values["redirect_uri"],
            nonce=values.get("nonce"),
            code_challenge=values["code_challenge"],
            expires_at=world.now + world.rules.code_life,
            used_at=None,
        )
        oauth.add_code(world.session, made)

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        world = self.server.world
        found = oauth.code(world.session, secret_hash(code))
        if found is None or found.grant.client_id != client.id:
            return None
        verdict = judge_code(found, world.now)
        if verdict is Verdict.REVOKE:
            self.server.revoke(found.grant, "code used twice")
        self.server.grant = found.grant
        return found if verdict is Verdict.TAKE else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Mark it: it must be recognised when it comes again."""
        world = self.server.world
        oauth.use_code(world.session, authorization_code.hash, world.now)

    def authenticate_user(self, authorization_code: Code) -> Account | None:
        return self.server.account_of(authorization_code.grant)


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    """Refresh token (RFC 6749, 6), each good once."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True
    server: Provider

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        world = self.server.world
        found = oauth.locked_refresh(world.session, secret_hash(refresh_token))
        if found is None:
            return None
        verdict = judge_refresh(found, world.now, world.rules.overlap)
        if verdict is Verdict.REVOKE:
            self.server.revoke(found.grant, "refresh token used twice")
        if verdict is not Verdict.TAKE or self.server.account_of(found.grant) is None:
            return None
        self.server.grant = found.grant
        return found

    def authenticate_user(self, refresh_token: RefreshToken) -> Account | None:
        return self.server.account_of(refresh_token.grant)

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        world = self.server.world
        oauth.use_refresh(world.session, refresh_token.hash, world.now)


class CredentialsGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """Client credentials (RFC 6749, 4.4): the client itself calls, with the scopes it was registered with."""

    TOKEN_ENDPOINT_AUTH_METHODS: Final = METHODS[:2]

    def validate_requested_scope(self) -> None:
        asked, client = self.request.payload.scope, self.request.client
        if asked and client.get_allowed_scope(asked).split() != list(dict.fromkeys(asked.split())):
            raise InvalidScopeError()
        self.request.payload.data["scope"] = asked or " ".join(client.scopes)


class OnlyS256(CodeChallenge):  # type: ignore[misc]
    """PKCE (RFC 7636) for every client. That a challenge is there, and S256, `domain.authorization` has seen to."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD: Final = ["S256"]


class IdTokens(OpenIDToken):  # type: ignore[misc]
    """Adds the ID token where the scope has openid."""

    def __init__(self, world: World) -> None:
        self._world = world

    def encode_id_token(self, token: Mapping[str, Any], request: OAuth2Request) -> str:
        code = request.authorization_code
        granted: Code | RefreshToken = code or request.refresh_token
        return self._world.id_token(request.user, granted.grant, token["scope"], token["access_token"], code)


class _Issuer(IssuerParameter):  # type: ignore[misc]
    """`iss` in every answer of the authorization endpoint (RFC 9207)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer
