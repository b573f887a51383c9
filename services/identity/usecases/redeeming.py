"""The endpoints that clients call themselves: tokens, revocation, introspection."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from sqlalchemy.orm import Session as OrmSession

from services.identity.domain.clients import GRANT_TYPES
from services.identity.usecases.authorizing import Desk
from services.identity.usecases.provider import Answer, ProtocolRequest, Provider, basic_credentials

_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_ENDPOINTS: Final = {"revoke": "revocation", "introspect": "introspection"}


async def token(desk: Desk, values: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    """Tokens for a code, a refresh token, or for the client itself (RFC 6749, 3.2)."""
    if "grant_type" not in values:
        return refusal("invalid_request", "The parameter grant_type is missing.")
    if values["grant_type"] not in GRANT_TYPES:
        return refusal("unsupported_grant_type", f"grant_type is one of: {', '.join(GRANT_TYPES)}.")
    return await _answered(
        desk, "token", values, headers, lambda provider, asked: provider.create_token_response(asked)
    )


async def revoke(desk: Desk, values: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    """Revoke a token (RFC 7009)."""
    return await _endpoint(desk, "revoke", values, headers)


async def introspect(desk: Desk, values: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    """Tell what a token is (RFC 7662)."""
    return await _endpoint(desk, "introspect", values, headers)


async def _endpoint(desk: Desk, name: str, values: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    def ask(provider: Provider, asked: ProtocolRequest) -> Any:
        return provider.create_endpoint_response(_ENDPOINTS[name], asked)

    return await _answered(desk, name, values, headers, ask)


async def _answered(
    desk: Desk,
    name: str,
    values: Mapping[str, str],
    headers: Mapping[str, str],
    ask: Callable[[Provider, ProtocolRequest], Any],
) -> Answer:
    given = {name: value for name, value in values.items() if value}  # RFC 6749, 3.2: empty is omitted
    fault = _credentials_fault(given, headers.get("authorization"))
    if fault is not None:
        return fault

    def inside(orm: OrmSession) -> Answer:
        asked = ProtocolRequest("POST", f"/oauth/{name}", given, _authlibs(headers))
        answer: Answer = ask(Provider(desk.world(orm)), asked)
        return answer

    async with desk.database.transaction() as tx:
        return _unstored(await tx.run_sync(inside))


def _authlibs(headers: Mapping[str, str]) -> dict[str, str]:
    return {"Authorization": headers["authorization"]} if "authorization" in headers else {}


def refusal(error: str, description: str, status: int = 400) -> Answer:
    """An error as RFC 6749, 5.2 writes it."""
    headers = {"WWW-Authenticate": f'Basic realm="clients", error="{error}"'} if status == 401 else {}
    return _unstored(Answer(status, {"error": error, "error_description": description}, headers))


def _unstored(answer: Answer) -> Answer:
    return Answer(answer.status, answer.body, {**answer.headers, **_NO_STORE})


def _credentials_fault(values: Mapping[str, str], authorization: str | None) -> Answer | None:
    """What is wrong with how the client authenticates, before anybody looks whether its secret is right."""
    if authorization is None:
        return None
    given = basic_credentials(authorization)
    if given is None:
        return refusal("invalid_client", "Authorization must be Basic, with id and secret.", 401)
    if "client_secret" in values:
        return refusal("invalid_request", "Send the secret once: in the header or in the body.")
    client_id = values.get("client_id")
    if client_id is not None and client_id not in (given[0], unquote_plus(given[0])):
        return refusal("invalid_client", "client_id is another than in the header.", 401)
    return None
