"""What clients find out by themselves: the provider's metadata and its keys."""

from functools import lru_cache
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.identity.api.dependencies import AtDesk, settings_of
from services.identity.domain.accounts import API_SCOPES, OPENID_SCOPES
from services.identity.domain.authorization import PROMPTS
from services.identity.domain.clients import GRANT_TYPES
from services.identity.domain.keys import ALGORITHM
from services.identity.usecases.provider import METHODS

KEPT_SECONDS: Final = 300
"""How long either may be kept: a third of the time for which a new key is published before it signs."""

router = APIRouter(include_in_schema=False)


@lru_cache
def metadata(issuer: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0, 3; RFC 8414; RFC 9207."""
    at = f"{issuer}/oauth"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{at}/authorize",
        "token_endpoint": f"{at}/token",
        "userinfo_endpoint": f"{at}/userinfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "revocation_endpoint": f"{at}/revoke",
        "introspection_endpoint": f"{at}/introspect",
        "end_session_endpoint": f"{at}/logout",
        "scopes_supported": [*OPENID_SCOPES, *sorted(API_SCOPES)],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "introspection_endpoint_auth_methods_supported": list(METHODS[:2]),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(PROMPTS),
        "claims_supported": [
            *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "sid", "at_hash"),
            *("name", "locale", "updated_at", "email", "email_verified", "roles", "org", "organisations"),
        ],
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def _kept(document: dict[str, Any]) -> Response:
    headers = {"Cache-Control": f"public, max-age={KEPT_SECONDS}", "Access-Control-Allow-Origin": "*"}
    return JSONResponse(document, headers=headers)


@router.get("/.well-known/openid-configuration")
@router.get("/.well-known/oauth-authorization-server")
async def configuration(request: Request) -> Response:
    """Where everything is, and what is supported."""
    return _kept(metadata(settings_of(request).issuer_url))


@router.get("/.well-known/jwks.json")
async def jwks(desk: AtDesk) -> Response:
    """The public keys (RFC 7517)."""
    return _kept(desk.ring.jwks(desk.clock.now()))
