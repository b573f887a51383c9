"""The page that plays the payer's phone: server-rendered, complete without script."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import RedirectResponse, Response

from services.upi_core.api.dependencies import Db, Means
from services.upi_core.domain.links import LONGEST, LinkError
from services.upi_core.store import requests
from services.upi_core.usecases import phone, screens
from services.upi_core.usecases.problems import not_found
from services.upi_core.usecases.rail import Rail
from suuupra import ui
from suuupra.db import Database

PAGES = Path(__file__).parent.parent / "pages"
ASSETS = "/_ui/upi-core"
COOKIE = "suuupra_phone"
FORM_LIMIT = 16 * 1024

templates = ui.templates(PAGES, at=ASSETS)
templates.env.filters["rupees"] = screens.rupees
router = APIRouter(include_in_schema=False)

Link = Annotated[str, Query(max_length=LONGEST)]
RequestId = Annotated[UUID, PathParameter()]
FromOurPage = [Depends(ui.require_same_origin)]


def _page(request: Request, template: str, status: int = 200, **shown: object) -> Response:
    response = templates.TemplateResponse(request, template, shown, status_code=status)
    response.headers["Cache-Control"] = "private, no-store"
    return response


@router.get("/phone")
async def home(request: Request, db: Db, rail: Means, link: Link = "") -> Response:
    """Open a link, or somebody's phone."""
    text = " ".join(link.split())
    await rail.directory.fresh()
    async with db.reading() as tx:
        accounts = await phone.accounts(tx)
        opened, fault = None, None
        if text:
            try:
                opened = await phone.read_link(tx, rail, text)
            except LinkError as error:
                fault = error
    chosen = request.cookies.get(COOKIE, "")
    status = 422 if fault else 200
    shown = {"accounts": accounts, "opened": opened, "fault": fault, "link": text, "chosen": chosen}
    return _page(request, "home.html", status, **shown)


@router.get("/phone/accounts/{vpa}")
async def account(
    request: Request, db: Db, rail: Means, vpa: Annotated[str, PathParameter(max_length=255)]
) -> Response:
    """One payer's phone: what waits for approval, and what was."""
    async with db.reading() as tx:
        owner = next((one for one in await phone.accounts(tx) if one.vpa == vpa), None)
        if owner is None:
            raise not_found("account", vpa)
        items = await screens.activity(tx, rail, vpa)
    response = _page(request, "account.html", owner=owner, items=items)
    _remember(response, vpa)
    return response


@router.post("/phone/requests", dependencies=FromOurPage, max_body_size=FORM_LIMIT)
async def open_link(
    request: Request,
    db: Db,
    rail: Means,
    link: Annotated[str, Form(max_length=LONGEST)],
    payer: Annotated[str, Form(max_length=255)],
    amount: Annotated[str | None, Form(max_length=30)] = None,
) -> Response:
    """The link becomes a request on the payer's phone."""
    await rail.directory.fresh()
    try:
        async with db.transaction() as tx:
            made = await phone.open_link(tx, rail, payer, " ".join(link.split()), amount)
    except LinkError as error:
        async with db.reading() as tx:
            accounts = await phone.accounts(tx)
        shown = {"accounts": accounts, "opened": None, "fault": error, "link": link, "chosen": payer}
        return _page(request, "home.html", 422, **shown)
    response = RedirectResponse(f"/phone/requests/{made.id}", 303)
    _remember(response, payer)
    return response


@router.get("/phone/requests/{request_id}")
async def show(request: Request, db: Db, rail: Means, request_id: RequestId) -> Response:
    """A request: to be approved, under way, or how it ended."""
    return await _screen(request, db, rail, request_id)


async def _screen(
    request: Request, db: Database, rail: Rail, request_id: UUID, status: int = 200, error: str | None = None
) -> Response:
    async with db.reading() as tx:
        found = await requests.find(tx, request_id)
        if found is None:
            raise not_found("request", request_id)
        screen = await screens.of(tx, rail, found)
    return _page(request, "request.html", status, screen=screen, error=error)


@router.post("/phone/requests/{request_id}/approve", dependencies=FromOurPage, max_body_size=FORM_LIMIT)
async def approve(
    request: Request,
    db: Db,
    rail: Means,
    request_id: RequestId,
    pin: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Pay. Pressed twice, or after a reload, it is paid once. Raises ManyArePaying, and may then be pressed again."""
    if not screens.is_pin(pin):
        return await _screen(request, db, rail, request_id, 422, "A UPI PIN has 4 to 6 digits.")
    with rail.admission.place(request_id):
        await rail.directory.fresh()
        try:
            async with db.transaction() as tx:
                await phone.approve(tx, rail, request_id, pin)
        except phone.NotPending:
            pass  # the page says how it stands
    return RedirectResponse(f"/phone/requests/{request_id}", 303)


@router.post("/phone/requests/{request_id}/decline", dependencies=FromOurPage, max_body_size=FORM_LIMIT)
async def decline(db: Db, rail: Means, request_id: RequestId) -> Response:
    """Do not pay."""
    await rail.directory.fresh()
    try:
        async with db.transaction() as tx:
            await phone.decline(tx, rail, request_id)
    except phone.NotPending:
        pass  # the page says how it stands
    return RedirectResponse(f"/phone/requests/{request_id}", 303)


@router.post("/phone/requests/{request_id}/again", dependencies=FromOurPage, max_body_size=FORM_LIMIT)
async def again(db: Db, rail: Means, request_id: RequestId) -> Response:
    """Ask for the same once more, after it failed: a request and a transaction of its own."""
    async with db.transaction() as tx:
        made = await phone.again(tx, rail, request_id)
    return RedirectResponse(f"/phone/requests/{made.id}", 303)


def _remember(response: Response, vpa: str) -> None:
    """Whose phone it was, to be chosen first the next time."""
    response.set_cookie(COOKIE, vpa, max_age=30 * 24 * 3600, path="/phone", httponly=True, samesite="lax")
