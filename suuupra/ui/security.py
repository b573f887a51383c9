"""Headers that every HTML page carries: nothing inline runs, nothing is loaded from elsewhere, nobody frames it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "media-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
# `same-origin`, not `no-referrer`: under the latter browsers send `Origin: null` with our own forms (Fetch §3.1).
PAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def content_security_policy(*, connect: bool = False) -> str:
    """The policy of our pages; ``connect`` lets a page's script call its own origin."""
    policy = {**_POLICY, "connect-src": "'self'"} if connect else _POLICY
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


class PageHeaders:
    """ASGI middleware: the policy on HTML answers that do not bring one themselves, nosniff on all."""

    def __init__(self, app: ASGIApp, *, connect: bool = False) -> None:
        self._app = app
        self._page_headers = {
            "Content-Security-Policy": content_security_policy(connect=connect),
            **PAGE_HEADERS,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._complete(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_completed)

    def _complete(self, headers: MutableHeaders) -> None:
        headers.setdefault("X-Content-Type-Options", "nosniff")
        if headers.get("content-type", "").startswith("text/html"):
            for name, value in self._page_headers.items():
                headers.setdefault(name, value)
