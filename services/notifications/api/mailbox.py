"""/mail: all mail that the local mail server took, for a developer, who is everybody there. Only in profile `local`."""

import re
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications.clients import Sink
from suuupra import ui
from suuupra.app import resource
from suuupra.fields import Line

PAGES: Final = Path(__file__).parent.parent / "pages"
LOOK: Final = "/_ui/notifications"
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"']+")
_FRAMED: Final = (
    "default-src 'none'; script-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_LETTER: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self';"
    " sandbox allow-top-navigation-by-user-activation"
)
"""A mail may hold anything: nothing of it runs, nothing is fetched for it; its links lead out of its frame."""

_NEVER_KEPT: Final = {"Cache-Control": "no-store"}

Mail = Annotated[Sink, Depends(resource(Sink))]
templates = ui.templates(PAGES, at=LOOK)

router = APIRouter(prefix="/mail", include_in_schema=False)


@router.get("")
async def mailbox(request: Request, sink: Mail, to: Annotated[Line, Query(max_length=254)] = "") -> Response:
    """The list, the newest first."""
    shown = {"mails": await sink.newest(to or None), "to": to}
    return templates.TemplateResponse(request, "mailbox.html", shown, headers=_NEVER_KEPT)


@router.get("/{mail_id}")
async def one_mail(request: Request, sink: Mail, mail_id: int) -> Response:
    """One mail, its texts beside each other."""
    mail = await sink.read(mail_id)
    shown = {"mail": mail, "text": linked(mail.text or "")}
    headers = {**_NEVER_KEPT, "Content-Security-Policy": _FRAMED}
    return templates.TemplateResponse(request, "mail.html", shown, headers=headers)


@router.get("/{mail_id}/html")
async def as_html(sink: Mail, mail_id: int) -> Response:
    """The HTML of a mail as it came, for the frame in its page."""
    html = (await sink.read(mail_id)).html or ""
    framed = html.replace("<head>", '<head><base target="_top">', 1)
    return HTMLResponse(framed, headers={**_NEVER_KEPT, "Content-Security-Policy": _LETTER})


@router.post("/clear", dependencies=[Depends(ui.require_same_origin)])
async def clear(sink: Mail) -> Response:
    """Forget all mail."""
    await sink.clear()
    return RedirectResponse("/mail", status_code=303)


def linked(text: str) -> Markup:
    """Plain text with its addresses as links."""
    parts, end = [], 0
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(".,;:!?)")
        parts += [escape(text[end : found.start()]), Markup('<a href="{0}">{0}</a>').format(address)]
        end = found.start() + len(address)
    return Markup("").join([*parts, escape(text[end:])])
