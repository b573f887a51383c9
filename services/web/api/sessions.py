"""Signing in and out: to identity and back (OpenID Connect), with nothing in the browser but an opaque cookie."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from services.web.api import visitors
from services.web.api.cookies import CART, LOGIN, SESSION
from services.web.api.dependencies import Accounts, Asker, Courses, MaybeViewer, Provider, Shop
from services.web.clients.calling import SignInNeeded
from services.web.clients.identity import CALLBACK, SignInRefused, SignInUnknown
from services.web.domain.sessions import Viewer, way_back
from services.web.usecases import arriving
from services.web.usecases.sessions import LAST
from suuupra import errors, ui

LOGIN_PATH: Final = "/session/login"
ANEW: Final = f"{LOGIN_PATH}?anew=true"
NO_STORE: Final = {"Cache-Control": "no-store"}
JUST_NOW_SECONDS: Final = 30
"""A session younger than this that a service does not accept is no session that ended: to sign in again would not help."""

router = APIRouter(include_in_schema=False)
Answered = Annotated[str, Query(max_length=2000)]


@router.get(LOGIN_PATH)
async def login(
    request: Request,
    accounts: Accounts,
    asker: Asker,
    to: Annotated[str, Query(max_length=1000)] = "/",
    new: bool = False,
    again: bool = False,
    anew: bool = False,
) -> Response:
    """To identity, which sends back to the callback. `to` is where to go on; `new` makes an account.

    Who is signed in goes on at once, save `again`: their token is refused somewhere, and identity has to give another.
    `anew`: the answer to a question of another browser came here.

    That a session has ended is told by its cookie, so no link from elsewhere can say it.
    """
    if asker.viewer and not again:
        return _onward(way_back(to))
    begun = await accounts.begin(LOGIN.of(request), to, create=new, ended=asker.ended, anew=anew)
    response = _onward(begun.url)
    LOGIN.set(request, response, begun.browser)
    return response


@router.get(CALLBACK)
async def callback(
    request: Request,
    accounts: Accounts,
    provider: Provider,
    content: Courses,
    shop: Shop,
    viewer: MaybeViewer,
    state: Answered = "",
    code: Answered = "",
    error: Answered = "",
    iss: Answered | None = None,
) -> Response:
    """Back from identity: the code becomes a session, the cart and what was read as a visitor become the person's.

    Whoever confirms an account in another browser than the one that asked, or hours later, comes here with an answer to
    no question. It is not believed; identity, where they are signed in by now, is asked a question of this browser's.
    """
    provider.check_issuer(iss)
    try:
        if error or not code:
            return _onward(await accounts.way_back_of(LOGIN.of(request), state))
        finished = await accounts.finish(LOGIN.of(request), state, code)
    except SignInRefused as refused:
        if viewer:  # the back button, or the address again: signed in is what they are
            return _onward("/")
        if isinstance(refused, SignInUnknown) and not state.startswith(LAST):
            return _onward(ANEW)
        raise
    arrived = await arriving.settle(
        content, shop, finished.viewer, cart=CART.of(request), visitor=visitors.visitor_of(request)
    )
    response = _onward(finished.return_to)
    SESSION.set(request, response, finished.secret)
    if arrived.cart:
        CART.set(request, response, arrived.cart)
    if arrived.merged:
        visitors.forget(request, response)
    return response


@router.post("/session/logout", dependencies=[Depends(ui.require_same_origin)], max_body_size=1024)
async def logout(request: Request, accounts: Accounts) -> Response:
    """Out here, and at identity: the form goes on there as it is (307), and says what identity's own would ask."""
    secret = SESSION.of(request)
    url = await accounts.end(secret) if secret else "/"
    response = RedirectResponse(url, 307, headers=NO_STORE) if secret else _onward("/")
    SESSION.drop(request, response)
    CART.drop(request, response)
    return response


async def lead_to_sign_in(request: Request, error: Exception) -> Response:
    """Whoever must be signed in is led there and back; a program gets the problem as it is."""
    problem = error if isinstance(error, SignInNeeded) else SignInNeeded()
    if "text/html" not in request.headers.get("accept", ""):
        return errors.render(problem, request)
    if _just_signed_in(request):
        away = errors.Unavailable("Your sign-in is not known everywhere yet.", headers={"Retry-After": "5"})
        return errors.render(away, request)
    again = {"again": "true"} if _viewer_of(request) else {}
    return _onward(f"{LOGIN_PATH}?{urlencode({'to': _here(request), **again})}")


def _just_signed_in(request: Request) -> bool:
    viewer = _viewer_of(request)
    now = request.app.state.clock.now()
    return viewer is not None and (now - viewer.since).total_seconds() < JUST_NOW_SECONDS


def _viewer_of(request: Request) -> Viewer | None:
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    return viewer


def _here(request: Request) -> str:
    """The page to come back to: this one, or the one whose form was sent."""
    if request.method in ("GET", "HEAD"):
        query = request.url.query
        return f"{request.url.path}?{query}" if query else request.url.path
    referer = urlsplit(request.headers.get("referer", ""))
    if referer.netloc != request.headers.get("host"):
        return "/"
    return f"{referer.path}?{referer.query}" if referer.query else referer.path


def _onward(url: str) -> Response:
    return RedirectResponse(url, 303, headers=NO_STORE)
