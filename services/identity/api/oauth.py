"""The protocol's addresses."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.identity.api import cookies, forms
from services.identity.api.dependencies import AtDesk
from services.identity.api.showing import NO_STORE, address_of, go, page
from services.identity.domain import returning
from services.identity.domain.accounts import SCOPE_WORDS
from services.identity.usecases import authorizing, ending, people, redeeming
from services.identity.usecases.authorizing import AskConsent, Desk, Next, ToClient, ToSignIn
from services.identity.usecases.ending import AskSignOut
from services.identity.usecases.provider import Answer
from suuupra import ui
from suuupra.auth import Principal, require_scope
from suuupra.errors import BadRequest, Forbidden, UnsupportedMediaType

router = APIRouter(include_in_schema=False)


@router.get("/oauth/authorize")
async def authorize(request: Request, desk: AtDesk) -> Response:
    """Begin to sign in to a client, or go on with it (RFC 6749, 3.1)."""
    return _shown(request, await authorizing.authorize(desk, request.url.query, cookies.session_of(request)))


@router.post("/oauth/authorize", max_body_size=forms.LIMIT)
async def authorize_by_form(request: Request) -> Response:
    """The same, sent as a form (OpenID Connect Core, 3.1.2.1): another site's form brings no cookies, its redirect does."""
    return go(returning.to_request(urlencode(await forms.pairs(request))))


@router.post("/oauth/consent", dependencies=[Depends(ui.require_same_origin)], max_body_size=forms.LIMIT)
async def consent(request: Request, desk: AtDesk) -> Response:
    """What the user said when asked."""
    form = await forms.values(request)
    allowed = form.get("decision") == "allow"
    query, cookie = form.get("query", ""), cookies.session_of(request)
    return _shown(request, await authorizing.authorize(desk, query, cookie, decision=allowed))


def _shown(request: Request, step: Next) -> Response:
    match step:
        case ToClient(location):
            return go(location)
        case ToSignIn(return_to, True, hint):
            return go(address_of("/account/sign-up", return_to=return_to, hint=hint))
        case ToSignIn(return_to, _, hint, ended):
            notice = "ended" if ended else ""
            return go(address_of("/account/login", return_to=return_to, hint=hint, notice=notice))
        case AskConsent():
            return page(
                request, "consent.html", {"asked": step, "words": SCOPE_WORDS}, leads_to=step.redirect_uri
            )


Endpoint = Callable[[Desk, Mapping[str, str], Mapping[str, str]], Awaitable[Answer]]


@router.post("/oauth/token", max_body_size=forms.LIMIT)
async def token(request: Request, desk: AtDesk) -> Response:
    """Tokens (RFC 6749, 3.2)."""
    return await _asked(request, desk, redeeming.token)


@router.post("/oauth/revoke", max_body_size=forms.LIMIT)
async def revoke(request: Request, desk: AtDesk) -> Response:
    """Revoke a token (RFC 7009)."""
    return await _asked(request, desk, redeeming.revoke)


@router.post("/oauth/introspect", max_body_size=forms.LIMIT)
async def introspect(request: Request, desk: AtDesk) -> Response:
    """What a token is (RFC 7662)."""
    return await _asked(request, desk, redeeming.introspect)


async def _asked(request: Request, desk: Desk, endpoint: Endpoint) -> Response:
    try:
        values = await forms.values(request)
    except (BadRequest, UnsupportedMediaType) as error:
        return _json(redeeming.refusal("invalid_request", error.detail))
    return _json(await endpoint(desk, values, request.headers))


def _json(answer: Answer) -> Response:
    return JSONResponse(answer.body, answer.status, headers=_own_type(answer.headers))


def _own_type(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "content-type"}


@router.get("/oauth/userinfo")
@router.post("/oauth/userinfo")
async def userinfo(
    request: Request, desk: AtDesk, caller: Annotated[Principal, Depends(require_scope("openid"))]
) -> Response:
    """What a client may know of its user (OpenID Connect Core, 5.3)."""
    bearer = request.headers["authorization"].partition(" ")[2].strip()
    claims: dict[str, Any] = await people.userinfo(desk, bearer)
    return JSONResponse(claims, headers={"Cache-Control": NO_STORE})


@router.get("/oauth/logout")
async def logout(request: Request, desk: AtDesk) -> Response:
    """Sign out, for a client (OpenID Connect RP-Initiated Logout)."""
    return await _sign_out(request, desk, list(request.query_params.multi_items()), confirmed=False)


@router.post("/oauth/logout", max_body_size=forms.LIMIT)
async def logout_by_form(request: Request, desk: AtDesk) -> Response:
    """The same by a form: a client's, or that of our own page, whose user has said so."""
    given = await forms.pairs(request)
    confirmed = ("confirmed", "yes") in given and _is_ours(request)
    asked = [(name, value) for name, value in given if name != "confirmed"]
    return await _sign_out(request, desk, asked, confirmed=confirmed)


async def _sign_out(
    request: Request, desk: Desk, pairs: list[tuple[str, str]], *, confirmed: bool
) -> Response:
    done = await ending.sign_out(desk, pairs, cookies.session_of(request), confirmed=confirmed)
    if isinstance(done, AskSignOut):
        return page(request, "sign_out.html", {"values": done.values}, leads_to=done.location)
    response = go(done.location) if done.location else page(request, "signed_out.html", {})
    cookies.sign_out(response)
    return response


def _is_ours(request: Request) -> bool:
    try:
        ui.require_same_origin(request)
    except Forbidden:
        return False
    return True
