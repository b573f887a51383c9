"""Web as a client of the OpenID provider: authorization code with PKCE, refresh and sign-out (OpenID Connect Core).

People's browsers reach identity at the public URL, which is its issuer; web reaches it by cluster DNS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import extract_compact
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from services.identity.contract import CLIENT_SECRET, REASON, SESSION_ENDED, secret_path
from services.web.clients.calling import FAULTS, Away, Service
from services.web.domain.sessions import Person, Tokens
from services.web.settings import Settings
from suuupra import errors, logs
from suuupra.clock import Clock
from suuupra.jwks import Keys, KeysUnavailable, PublishedKeys
from suuupra.secrets_store import SecretsStore, SecretsUnavailable
from suuupra.telemetry import CONNECT_SECONDS
from suuupra.tokens import ALGORITHMS, LEEWAY_SECONDS, MAX_BYTES

SCOPE: Final = "openid profile email orders:read"
"""No `offline_access`: whoever signs out at identity is signed out here too. Of the APIs' scopes the one that reads
others' orders, for the pages of support and finance: identity leaves out what a person's roles do not give (learners).
"""
CALLBACK: Final = "/session/callback"

_log = logs.get_logger(__name__)


class IdentityAway(Away):
    """Identity does not answer, or answers that it cannot."""

    slug = "identity-away"
    title = "Signing in is away for a moment"
    about = (
        "Accounts cannot be reached right now. Courses can be read; try to sign in again in a few seconds."
    )


class GrantRefused(Exception):
    """Identity does not take the code or the refresh token: the sign-in, or the session, is over."""


class SignInRefused(errors.BadRequest):
    """What came back from a sign-in is not what we asked for."""

    slug = "sign-in-refused"
    title = "The sign-in did not work"


class SignInUnknown(SignInRefused):
    """An answer to no question of this browser: it was asked in another one, too long ago, or never."""


@dataclass(frozen=True)
class Question:
    """What a browser is sent to identity with."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class SignedIn:
    """What a redeemed code gives."""

    person: Person
    tokens: Tokens


class _Answer(BaseModel):
    """A token response (RFC 6749, 5.1)."""

    model_config = ConfigDict(frozen=True)

    access_token: str = Field(min_length=1)
    token_type: str
    expires_in: int = Field(gt=0)
    refresh_token: str | None = None
    id_token: str | None = None


class ClientSecret:
    """Our secret at identity: from the settings, or from where identity keeps it for us. Read when first needed."""

    def __init__(self, client_id: str, given: SecretStr | None, store: SecretsStore) -> None:
        self._path = secret_path(client_id)
        self._given = given
        self._store = store
        self._read: str | None = None

    async def get(self) -> str:
        """The secret; IdentityAway while it cannot be read."""
        if self._given is not None:
            return self._given.get_secret_value()
        if self._read is None:
            try:
                found = await self._store.read(self._path)
            except SecretsUnavailable as error:
                raise IdentityAway from error
            if found is None or CLIENT_SECRET not in found:
                raise IdentityAway
            self._read = found[CLIENT_SECRET]
        return self._read

    def forget(self) -> bool:
        """Read it again at the next use, for it may have been changed; whether that can help."""
        had, self._read = self._read, None
        return had is not None


class Identity(Service):
    """The provider. Its secrets and tokens are in no error and no log."""

    name: ClassVar[str] = "identity"
    away: ClassVar[type[Away]] = IdentityAway

    def __init__(
        self,
        settings: Settings,
        secret: ClientSecret,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        keys: Keys | None = None,
    ) -> None:
        super().__init__(settings.url_identity, transport)
        self._client_id = settings.client_id
        self._issuer = settings.public_url
        self._secret = secret
        self._clock = clock
        self._keys = keys or PublishedKeys(f"{settings.url_identity}/.well-known/jwks.json", clock, transport)

    async def open(self) -> None:
        """Make the pool. Keys are fetched when the first ID token comes: identity may be away."""
        await super().open()

    async def close(self) -> None:
        """Close the pools."""
        await self._keys.close()
        await super().close()

    @property
    def callback(self) -> str:
        """Where identity sends people back to."""
        return f"{self._issuer}{CALLBACK}"

    def sign_in_url(self, question: Question, *, create: bool = False, ended: bool = False) -> str:
        """Where a browser signs in (or, with `create`, makes an account: Initiating User Registration 1.0).

        `ended`: identity's page is to say that a session has ended.
        """
        more = {"prompt": "create"} if create else {}
        if ended:
            more[REASON] = SESSION_ENDED
        url: str = prepare_grant_uri(
            f"{self._issuer}/oauth/authorize",
            self._client_id,
            "code",
            redirect_uri=self.callback,
            scope=SCOPE,
            state=question.state,
            nonce=question.nonce,
            code_challenge=create_s256_code_challenge(question.verifier),
            code_challenge_method="S256",
            **more,
        )
        return url

    def sign_out_url(self) -> str:
        """Where a browser signs out (RP-Initiated Logout 1.0)."""
        return f"{self._issuer}/oauth/logout"

    def sign_out_form(self) -> dict[str, str]:
        """What its form says: by which client, for our ID tokens stay here; and that the person has confirmed it."""
        after = f"{self._issuer}/"
        return {"client_id": self._client_id, "post_logout_redirect_uri": after, "confirmed": "yes"}

    def check_issuer(self, told: str | None) -> None:
        """Refuse an answer that says it comes from another issuer (RFC 9207)."""
        if told is not None and told != self._issuer:
            raise SignInRefused("The answer came from another place than the one you were sent to.")

    async def redeem(self, code: str, question: Question) -> SignedIn:
        """Person and tokens for a code; GrantRefused for one that identity does not take."""
        answer = await self._granted(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.callback,
                "code_verifier": question.verifier,
            }
        )
        person = await self._person(answer.id_token or "", question.nonce)
        return SignedIn(person, self._tokens(answer, None))

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens for old ones; GrantRefused when the session is over. Never asked twice: a refresh token is good once."""
        if tokens.refresh is None:
            raise GrantRefused("there is no refresh token")
        answer = await self._granted({"grant_type": "refresh_token", "refresh_token": tokens.refresh})
        return self._tokens(answer, tokens.refresh)

    async def revoke(self, tokens: Tokens) -> None:
        """Make the refresh token, and all that came of it, worthless (RFC 7009)."""
        if tokens.refresh is not None:
            form = {"token": tokens.refresh, "token_type_hint": "refresh_token"}
            await self._post("/oauth/revoke", form)

    def _tokens(self, answer: _Answer, refresh: str | None) -> Tokens:
        until = self._clock.now() + timedelta(seconds=answer.expires_in)
        return Tokens(answer.access_token, answer.refresh_token or refresh, until)

    async def _granted(self, form: Mapping[str, str]) -> _Answer:
        response = await self._post("/oauth/token", form)
        if response.status_code == 401 and self._secret.forget():
            response = await self._post("/oauth/token", form)
        if response.status_code != 200:
            self._tell_refusal(response)
        try:
            return _Answer.model_validate_json(response.content)
        except ValidationError:
            raise IdentityAway from None

    def _tell_refusal(self, response: httpx.Response) -> None:
        error = _error_of(response)
        if error == "invalid_grant":
            raise GrantRefused(error)
        _log.error("identity refused web", status=response.status_code, error=error)
        raise IdentityAway

    async def _post(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        """A form with our credentials (client_secret_basic). Not repeated, except by who knows that it may be."""
        auth = httpx.BasicAuth(self._client_id, await self._secret.get())
        headers = {"Accept": "application/json"}
        limits = httpx.Timeout(self.seconds, connect=CONNECT_SECONDS)
        try:
            response = await self.client.post(
                path, data=dict(form), headers=headers, auth=auth, timeout=limits
            )
        except httpx.TransportError as error:
            FAULTS.labels(self.name, "POST").inc()
            raise IdentityAway from error
        if response.status_code >= 500:
            FAULTS.labels(self.name, "POST").inc()
            raise IdentityAway
        return response

    async def _person(self, id_token: str, nonce: str) -> Person:
        """Who an ID token is about, once it is judged (OpenID Connect Core, 3.1.3.7)."""
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock.now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        try:
            token = jwt.decode(id_token, await self._key(id_token), algorithms=list(ALGORITHMS))
            registry.validate(token.claims)
            return _person(token.claims)
        except KeysUnavailable as error:
            raise IdentityAway from error
        except (JoseError, ValueError, TypeError, KeyError) as error:
            _log.warning("an ID token was refused", reason=type(error).__name__)
            raise SignInRefused("What identity told about you cannot be trusted. Start again.") from None

    async def _key(self, id_token: str) -> Key:
        if len(id_token) > MAX_BYTES:
            raise ValueError("too long")
        key = await self._keys.find(str(extract_compact(id_token.encode("ascii")).headers().get("kid", "")))
        if key is None:
            raise ValueError("signed with a key that is not published")
        return key


def _person(claims: Mapping[str, Any]) -> Person:
    email = str(claims.get("email", ""))
    name = str(claims.get("name") or email or "Learner")
    roles = claims.get("roles", ())
    shown = tuple(str(role) for role in roles) if isinstance(roles, list) else ()
    return Person(UUID(str(claims["sub"])), name, email, shown)


def _error_of(response: httpx.Response) -> str:
    try:
        told = json.loads(response.content)
    except ValueError:
        return ""
    return str(told.get("error", "")) if isinstance(told, dict) else ""
