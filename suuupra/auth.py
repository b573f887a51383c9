"""Who may call a route, as FastAPI dependencies.

    @router.get("/v1/me")
    async def me(user: User) -> Profile: ...

    @router.post("/v1/courses", dependencies=[Depends(require_scope("content:write"))])

Every service judges the token itself; that the gateway did so before is defence in depth, not a reason to trust.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from suuupra.clock import Clock
from suuupra.errors import FieldError, Forbidden, Unauthenticated, Unavailable
from suuupra.jwks import InlineKeys, Keys, KeysUnavailable, PublishedKeys
from suuupra.resources import Resources
from suuupra.settings import AuthSettings
from suuupra.tokens import InvalidToken, Principal, Verifier

__all__ = [
    "Authenticator",
    "MaybeUser",
    "OptionalUser",
    "Principal",
    "RequireUser",
    "User",
    "caller_of",
    "optional_user",
    "require_any_scope",
    "require_scope",
    "require_user",
    "takes_nobody",
]

_FIX = "send Authorization: Bearer followed by an access token of this platform"


class Authenticator:
    """The resource behind the dependencies: the issuer's keys and the rules of its tokens."""

    name = "auth"

    def __init__(self, keys: Keys, *, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._verifier = Verifier(keys, issuer=issuer, audience=audience, clock=clock)

    @classmethod
    def of(cls, settings: AuthSettings, clock: Clock) -> Authenticator:
        """As the settings say: keys inline or published."""
        keys: Keys = (
            InlineKeys(settings.jwks) if settings.jwks else PublishedKeys(str(settings.jwks_url), clock)
        )
        return cls(keys, issuer=settings.issuer, audience=settings.audience, clock=clock)

    async def open(self) -> None:
        await self._keys.open()

    async def close(self) -> None:
        await self._keys.close()

    async def check(self) -> None:
        """Always usable: with the issuer away, tokens signed by known keys are still judged."""

    async def principal(self, request: Request) -> Principal | None:
        """The caller, or None when no credentials were sent. Raises Unauthenticated for those that are not accepted."""
        given = request.headers.getlist("authorization")
        if not given:
            return None
        try:
            return await self._verifier.verify(_bearer(given))
        except InvalidToken as error:
            raise _refused(str(error)) from error
        except KeysUnavailable as error:
            raise Unavailable("Tokens cannot be checked right now.", headers={"Retry-After": "1"}) from error


def _bearer(given: list[str]) -> str:
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token:
        raise InvalidToken("it is not one bearer token")
    return token.strip()


def _refused(reason: str) -> Unauthenticated:
    # RFC 6750, 3: error_description is quoted text, and none of our reasons holds a quote.
    challenge = f'Bearer error="invalid_token", error_description="{reason}"'
    error = FieldError("header.Authorization", f"must be an accepted token: {reason}", _FIX)
    return Unauthenticated(
        f"The access token is not accepted: {reason}.", errors=[error], challenge=challenge
    )


class _Bearer(SecurityBase):
    """A dependency that OpenAPI shows as the bearer scheme."""

    def __init__(self, description: str) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT", description=description)
        self.scheme_name = "bearer"


class OptionalUser(_Bearer):
    """The caller, or None."""

    async def __call__(self, request: Request) -> Principal | None:
        return await _authenticator(request).principal(request)


class RequireUser(_Bearer):
    """The caller; without one, 401. With scopes, 403 for a caller who lacks one of them, or with `one` all of them."""

    def __init__(self, description: str, *scopes: str, one: bool = False) -> None:
        super().__init__(description)
        self.scopes = frozenset(scopes)
        self.one = one

    async def __call__(self, request: Request) -> Principal:
        principal = await _authenticator(request).principal(request)
        if principal is None:
            error = FieldError("header.Authorization", "is required", _FIX)
            raise Unauthenticated("This needs a signed-in caller.", errors=[error])
        missing = self.scopes - principal.scopes
        if missing and not (self.one and missing != self.scopes):
            raise _lacking(missing, " or " if self.one else " and ")
        return principal


def _lacking(scopes: frozenset[str], between: str) -> Forbidden:
    challenge = f'Bearer error="insufficient_scope", scope="{" ".join(sorted(scopes))}"'
    wanted = between.join(sorted(scopes))
    error = FieldError(
        "header.Authorization", f"must be a token with the scope {wanted}", "ask for a token that has it"
    )
    return Forbidden(
        f"The access token lacks the scope {wanted}.", errors=[error], headers={"WWW-Authenticate": challenge}
    )


def _authenticator(request: Request) -> Authenticator:
    resources: Resources = request.app.state.resources
    return resources.get(Authenticator)


async def caller_of(request: Request) -> str:
    """The subject of the request's token; empty for an anonymous caller and in a service without tokens."""
    resources: Resources = request.app.state.resources
    authenticator = resources.find(Authenticator)
    principal = await authenticator.principal(request) if authenticator else None
    return principal.subject if principal else ""


_TOKEN = "An access token of the platform (RFC 9068)."  # noqa: S105 - a description, not a secret
require_user = RequireUser(_TOKEN)
optional_user = OptionalUser(_TOKEN)


def require_scope(*scopes: str) -> RequireUser:
    """A dependency that gives the caller when the token carries all `scopes`; else 401 or 403."""
    return RequireUser(_TOKEN, *scopes)


def require_any_scope(*scopes: str) -> RequireUser:
    """A dependency that gives the caller when the token carries one of `scopes`; else 401 or 403."""
    return RequireUser(_TOKEN, *scopes, one=True)


def takes_nobody(dependant: Dependant) -> bool:
    """Whether a route that takes tokens, by these dependencies, answers without one too."""
    kinds = {type(call) for call in _calls(dependant)}
    return OptionalUser in kinds and RequireUser not in kinds


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


User = Annotated[Principal, Depends(require_user)]
MaybeUser = Annotated[Principal | None, Depends(optional_user)]
