"""Cross-site request forgery: a form counts only when a page of ours sent it.

The browser says where a request comes from (Fetch Metadata, W3C; `Origin`, RFC 6454) and no page of another site can
make it say otherwise. Together with SameSite=Lax cookies this needs no token in the form, so pages stay cacheable.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from suuupra.errors import Forbidden


class ForeignForm(Forbidden):
    """A form that another site, or no browser at all, has sent."""

    slug = "foreign-form"
    title = "The form was not sent from one of our pages"


def require_same_origin(request: Request) -> None:
    """A dependency for every route that takes a form; raises ForeignForm (403)."""
    site = request.headers.get("sec-fetch-site")
    if site is None:
        # Browsers leave Fetch Metadata out on plain HTTP beyond localhost, but send Origin with every POST.
        same = urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
    else:
        same = site in ("same-origin", "none")
    if not same:
        raise ForeignForm("Open the page here and use its own button.")
