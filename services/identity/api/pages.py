"""The pages on which people sign up, confirm their address, sign in and recover."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from services.identity.api import cookies, forms
from services.identity.api.dependencies import Db, Passwords, session_life, settings_of
from services.identity.api.showing import address_of, go, page
from services.identity.domain import returning
from services.identity.usecases import authorizing, recovering, signing_in, signing_up
from services.identity.usecases.problems import FormFault, LinkUseless
from services.identity.usecases.signing_in import SignInForm
from services.identity.usecases.signing_up import SignUpForm
from suuupra import errors, ui
from suuupra.app import Now
from suuupra.db import Database

router = APIRouter(include_in_schema=False)
OURS: Final = [Depends(ui.require_same_origin)]
Said = Annotated[str, Query(max_length=8000)]
NOTICES: Final[Mapping[str, tuple[str, str]]] = {
    "changed": ("success", "Your password is changed. Sign in with the new one."),
    "confirmed": ("success", "Your address is confirmed. Sign in to go on."),
    "ended": ("note", "Your session has ended. Sign in to go on where you were."),
}
"""What a page may say, and how. An address only chooses among these: nobody's own words get onto it."""


async def _form_page(
    request: Request,
    db: Database,
    template: str,
    return_to: str | None,
    *,
    status: int = HTTPStatus.OK,
    faults: Mapping[str, str] | None = None,
    **shown: Any,
) -> Response:
    behind = await authorizing.client_behind(db, return_to)
    values = {
        "return_to": return_to or "",
        "client": behind[0] if behind else None,
        "faults": faults or {},
        "form": {"email": "", "name": ""},
        **shown,
    }
    return page(request, template, values, status=status, leads_to=behind[1] if behind else None)


@router.get("/account/login")
async def login_page(
    request: Request, db: Db, return_to: Said = "", hint: Said = "", notice: Said = ""
) -> Response:
    """Where people sign in."""
    shown: dict[str, Any] = {"notice": NOTICES.get(notice), "form": {"email": hint[:254], "name": ""}}
    return await _form_page(request, db, "login.html", returning.checked(return_to), **shown)


@router.post("/account/login", dependencies=OURS, max_body_size=forms.LIMIT)
async def login(request: Request, db: Db, passwords: Passwords, clock: Now) -> Response:
    """Sign in, and go on to where they came from."""
    written = await forms.values(request)
    return_to = returning.checked(written.get("return_to"))
    settings, life = settings_of(request), session_life(request)
    try:
        given = forms.email(written), written.get("password", "")
        form = SignInForm(*given, return_to, cookies.known_of(request))
        opened = await signing_in.sign_in(db, passwords, clock, form, life=life, tries=settings.login_tries)
    except FormFault as error:
        shown: dict[str, Any] = {"notice": None, "form": forms.shown(written)}
        return await _form_page(
            request,
            db,
            "login.html",
            return_to,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            faults=error.faults,
            **shown,
        )
    response = go(return_to or settings.home_path)
    cookies.sign_in(response, opened, life=life, secure=settings.secure)
    return response


@router.get("/account/sign-up")
async def sign_up_page(request: Request, db: Db, return_to: Said = "", hint: Said = "") -> Response:
    """Where people get an account."""
    form = {"email": hint[:254], "name": ""}
    return await _form_page(request, db, "sign_up.html", returning.checked(return_to), form=form)


@router.post("/account/sign-up", dependencies=OURS, max_body_size=forms.LIMIT)
async def sign_up(request: Request, db: Db, passwords: Passwords, clock: Now) -> Response:
    """Send the letter. The answer is the same whoever the address belongs to."""
    written = await forms.values(request)
    return_to = returning.checked(written.get("return_to"))
    try:
        email, name, password = forms.person(written)
    except FormFault as error:
        return await _form_page(
            request,
            db,
            "sign_up.html",
            return_to,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            faults=error.faults,
            form=forms.shown(written),
        )
    form = SignUpForm(email, name, password, forms.locale_of(request), return_to)
    browser = await signing_up.sign_up(db, passwords, clock, form)
    response = go("/account/sign-up/sent")
    cookies.remember_sign_up(response, browser, secure=settings_of(request).secure)
    return response


@router.get("/account/sign-up/sent")
async def sign_up_sent(request: Request) -> Response:
    """Look into your mail."""
    return page(request, "sent.html", {"recovery": False})


@router.get("/account/verify")
async def verify_page(request: Request, db: Db, clock: Now, token: Said = "") -> Response:
    """Behind the link of the letter: a button, since programs open links too."""
    found = await signing_up.look(db, clock, token, cookies.sign_up_of(request))
    return await _form_page(request, db, "verify.html", found.return_to, found=found, token=token)


@router.post("/account/verify", dependencies=OURS, max_body_size=forms.LIMIT)
async def verify(request: Request, db: Db, passwords: Passwords, clock: Now) -> Response:
    """Make the account, sign in, and go on to where they came from."""
    written = await forms.values(request)
    token, password = written.get("token", ""), written.get("password", "")
    browser, settings, life = cookies.sign_up_of(request), settings_of(request), session_life(request)
    try:
        done = await signing_up.confirm(db, passwords, clock, token, browser, password, life)
    except FormFault as error:
        found = await signing_up.look(db, clock, token, browser)
        return await _form_page(
            request,
            db,
            "verify.html",
            found.return_to,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            faults=error.faults,
            found=found,
            token=token,
        )
    response = go(done.return_to or settings.home_path)
    cookies.sign_in(response, done.session, life=life, secure=settings.secure)
    cookies.forget_sign_up(response)
    return response


@router.get("/account/recover")
async def recover_page(request: Request, db: Db) -> Response:
    """Where people ask for a new password."""
    return await _form_page(request, db, "recover.html", None)


@router.post("/account/recover", dependencies=OURS, max_body_size=forms.LIMIT)
async def recover(request: Request, db: Db, clock: Now) -> Response:
    """Send the letter. The answer is the same whether or not the address has an account."""
    written = await forms.values(request)
    try:
        await recovering.ask(db, clock, forms.email(written))
    except FormFault as error:
        return await _form_page(
            request,
            db,
            "recover.html",
            None,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            faults=error.faults,
            form=forms.shown(written),
        )
    return go("/account/recover/sent")


@router.get("/account/recover/sent")
async def recover_sent(request: Request) -> Response:
    """Look into your mail."""
    return page(request, "sent.html", {"recovery": True})


@router.get("/account/recover/new")
async def new_password_page(request: Request, db: Db, clock: Now, token: Said = "") -> Response:
    """Behind the link of the letter: where the new password is chosen."""
    email = await recovering.look(db, clock, token)
    return page(request, "new_password.html", {"email": email, "token": token, "faults": {}})


@router.post("/account/recover/new", dependencies=OURS, max_body_size=forms.LIMIT)
async def new_password(request: Request, db: Db, passwords: Passwords, clock: Now) -> Response:
    """Set it, and let them sign in with it."""
    written = await forms.values(request)
    token = written.get("token", "")
    try:
        browser = await recovering.choose(db, passwords, clock, token, written.get("password", ""))
    except FormFault as error:
        shown = {"email": await recovering.look(db, clock, token), "token": token, "faults": error.faults}
        return page(request, "new_password.html", shown, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    response = go(address_of("/account/login", notice="changed"))
    cookies.sign_out(response)
    cookies.remember_browser(response, browser, secure=settings_of(request).secure)
    return response


async def link_useless(request: Request, error: LinkUseless) -> Response:
    """A link that does not work, told with what there is to do instead; to programs as any problem."""
    if "text/html" not in request.headers.get("accept", ""):
        return errors.render(error, request)
    return page(request, "link_useless.html", {"detail": error.detail}, status=error.status)
