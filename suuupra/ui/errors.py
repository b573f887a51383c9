"""Errors as a person should meet them: the same problem an API client gets as JSON, told in the look of the pages."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suuupra.ui.assets import assets_of
from suuupra.ui.security import content_security_policy
from suuupra.ui.templating import environment

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Advice:
    """What an error page says for a status."""

    title: str
    text: str
    icon: str = "alert"
    retry: bool = False


_AWAY = Advice(
    "This part is away for a moment",
    "The page you asked for needs a service that does not answer right now. Nothing of yours is lost. "
    "Wait a few seconds, then try again.",
    "cloud-off",
    retry=True,
)
_BROKEN = Advice(
    "Something broke on our side",
    "It is not your doing, and it has been recorded. Trying again often helps.",
    retry=True,
)
_REFUSED = Advice("That did not work", "The address or the form holds something we cannot use.")
_ADVICE: Mapping[int, Advice] = {
    401: Advice("Please sign in", "This page is for people who are signed in.", "lock"),
    403: Advice(
        "That is not allowed from here", "Open the page again and repeat what you did there.", "lock"
    ),
    404: Advice(
        "We could not find that page",
        "The address may be mistyped, or the course may have moved. The catalogue shows all there is.",
        "compass",
    ),
    405: Advice("That page cannot be used this way", "Open the page again and use its own buttons."),
    410: Advice("That page is gone", "It was taken down. The catalogue shows what there is now.", "compass"),
    413: Advice("That is too large", "Send something smaller, or in several parts."),
    429: Advice(
        "One moment, please",
        "More is asked for at this moment than we can serve. Wait a little, then try again.",
        "clock",
        retry=True,
    ),
    502: _AWAY,
    503: _AWAY,
    504: _AWAY,
}


def advice_for(status: int) -> Advice:
    """What to tell a person about an HTTP status from 400 to 599."""
    return _ADVICE.get(status, _BROKEN if status >= 500 else _REFUSED)


def error_document(status: int) -> str:
    """A whole page that needs no other request, for a gateway whose upstream is away.

    Its style is inline and allowed by its hash in a policy of its own. Deterministic for a status.
    """
    env = environment()
    style = assets_of().text("tokens.css") + (env.get_template("ui/standalone.css").render())
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return env.get_template("ui/standalone.html").render(
        advice=advice_for(status), status=status, style=style, style_hash=digest
    )


def error_pages(app: FastAPI, templates: Jinja2Templates) -> None:
    """Answer browsers with a page wherever the application answers problem+json; API clients keep the JSON."""
    app.add_middleware(ErrorPages, templates=templates)


class ErrorPages:
    """ASGI middleware behind :func:`error_pages`."""

    def __init__(self, app: ASGIApp, templates: Jinja2Templates) -> None:
        self._app = app
        self._template = templates.get_template("ui/error.html")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; turn a problem in the answer into a page when the client is a browser."""
        if scope["type"] != "http" or not _wants_page(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _PageInstead(self._template.render, scope, send))


class _PageInstead:
    """The `send` of one request: holds a problem back until it is whole, lets everything else through."""

    def __init__(self, render: Any, scope: Scope, send: Send) -> None:
        self._render = render
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page(self._start)

    async def _send_page(self, start: Message) -> None:
        page = self._page(start["status"]).encode()
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Type"] = "text/html; charset=utf-8"
        headers["Content-Length"] = str(len(page))
        headers["Cache-Control"] = "no-store"
        headers["Content-Security-Policy"] = content_security_policy()
        headers.add_vary_header("Accept")
        await self._send({**start, "headers": headers.raw})
        shown = b"" if self._scope["method"] == "HEAD" else page
        await self._send({"type": "http.response.body", "body": shown})

    def _page(self, status: int) -> str:
        problem = json.loads(self._body) if self._body else {}
        told = status < 500 and status not in (404, 405)
        rendered: str = self._render(
            advice=advice_for(status),
            detail=problem.get("detail") if told else None,
            fixes=_fixes(problem.get("errors", ())) if told else (),
            request_id=problem.get("request_id") if status >= 500 else None,
            retry_url=_retry_url(self._scope),
        )
        return rendered


def _wants_page(headers: Headers) -> bool:
    """Browsers name text/html when they navigate; API clients do not."""
    accept = headers.get("accept", "")
    return "text/html" in accept and "json" not in accept


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith(PROBLEM)


def _fixes(errors: Sequence[Mapping[str, str]]) -> list[str]:
    return [error["fix"] for error in errors if error.get("fix")]


def _retry_url(scope: Scope) -> str:
    """The same page again; after a form, the page the form was on."""
    if scope["method"] in ("GET", "HEAD"):
        query = scope["query_string"].decode("latin-1")
        return f"{scope['path']}?{query}" if query else str(scope["path"])
    headers = Headers(scope=scope)
    referer = urlsplit(headers.get("referer", ""))
    return referer.path if referer.path and referer.netloc == headers.get("host") else "/"
