"""Pages: never kept, and allowed to lead on to the one client that the user came from."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.identity.domain.clients import origin_of
from suuupra import ui
from suuupra.ui.security import content_security_policy

PAGES: Final = Path(__file__).parent.parent / "pages"
AT: Final = "/_ui/identity"
NO_STORE: Final = "no-store"

templates = ui.templates(PAGES, at=AT)


def page(
    request: Request,
    template: str,
    shown: Mapping[str, Any],
    *,
    status: int = HTTPStatus.OK,
    leads_to: str | None = None,
) -> Response:
    """A page. `leads_to` is the client's address that its form may be redirected to (browsers check: CSP form-action)."""
    headers = {"Cache-Control": NO_STORE, "Content-Security-Policy": _policy(leads_to)}
    return templates.TemplateResponse(request, template, dict(shown), status_code=status, headers=headers)


def _policy(leads_to: str | None) -> str:
    policy = content_security_policy()
    if leads_to is None:
        return policy
    return policy.replace("form-action 'self'", f"form-action 'self' {origin_of(leads_to)}")


def go(address: str) -> Response:
    """To another address, by GET whatever this was (RFC 9700, 4.12: a POST's body must not travel on)."""
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, headers={"Cache-Control": NO_STORE})


def address_of(path: str, **values: str | None) -> str:
    """A page's address with its parameters."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items() if value)
    return f"{path}?{query}" if query else path
