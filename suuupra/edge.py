"""The outermost layer around every request: ids, trace, limits, metrics, one log line, and the last word on errors.

It is one ASGI callable with one wrapped `send` rather than a stack of middlewares: at a few thousand requests a
second and core, each further layer costs more than what it does.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import lru_cache
from typing import Final

from opentelemetry.trace import SpanContext
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suuupra import errors, logs, telemetry

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})
_CLIENT_CLOSED: Final = 499
"""What the log and the metrics say of a request whose caller went away; nginx's number for it."""
UNMATCHED: Final = "unmatched"
"""The route label of requests that match no route, so that guessed paths cannot fill the metrics store."""
_TRACE_HEADERS: Final = frozenset({b"traceparent", b"tracestate"})

_log = logs.get_logger(__name__)


class Activity:
    """How many requests are being answered, and a way to await that none is."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False

    def begin(self) -> None:
        self.in_flight += 1
        self._idle.clear()

    def end(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    async def idle(self) -> None:
        """Return when nothing is in flight."""
        await self._idle.wait()


class Edge:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, *, activity: Activity, body_limit: int) -> None:
        self._app = app
        self._activity = activity
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._activity.begin()
        exchange = _Exchange(self._app, scope, receive, send, self._activity, self._body_limit)
        try:
            await exchange.run()
        finally:
            self._activity.end()


class _Exchange:
    """One request and its response."""

    def __init__(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, activity: Activity, body_limit: int
    ) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._activity = activity
        self._body_limit = body_limit
        self._has_body = False
        self._request_id = ""
        self._received = 0
        self._status = 0
        self._replaced = False

    async def run(self) -> None:
        began = time.perf_counter()
        given, trace_headers = self._read_headers()
        span, trace_token = telemetry.enter(trace_headers)
        self._request_id = given or f"{span.span_id:016x}"
        self._scope["suuupra.request_id"] = self._request_id
        id_token = telemetry.request_id.set(self._request_id)
        try:
            await self._answer()
        finally:
            self._record(began, time.perf_counter(), span)
            telemetry.request_id.reset(id_token)
            telemetry.leave(trace_token)

    def _read_headers(self) -> tuple[str, dict[str, str]]:
        """Note whether a body follows; return the caller's request id, if it is sane, and the trace headers."""
        trace_headers: dict[str, str] = {}
        given = b""
        for name, value in self._scope["headers"]:
            if name in _BODY_HEADERS:
                self._has_body = True
            elif name == b"x-request-id":
                given = value
            elif name in _TRACE_HEADERS:
                trace_headers[name.decode()] = value.decode("latin-1")
        return given.decode() if _REQUEST_ID.fullmatch(given) else "", trace_headers

    async def _answer(self) -> None:
        receive = self._receive_limited if self._has_body else self._receive
        try:
            await self._app(self._scope, receive, self._send_on)
        except ClientDisconnect:
            self._status = _CLIENT_CLOSED
        # Here and nowhere else may any error end: the caller gets an answer, the log gets the cause.
        except Exception as error:
            problem = error if isinstance(error, errors.Problem) else errors.Internal()
            if problem.status >= 500 or self._status:
                _log.exception("unhandled error", method=self._scope["method"], path=self._scope["path"])
            if self._status:
                raise  # the response has begun; only closing the connection tells the caller it is incomplete
            await self._send_problem(problem)

    async def _receive_limited(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            limit = self._limit()
            if self._received > limit:
                raise errors.Passing(errors.too_large(limit))
        return message

    def _limit(self) -> int:
        own: int | None = getattr(self._scope.get("route"), "max_body_size", None)
        return self._body_limit if own is None else own

    async def _send_on(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if message["status"] == 413 and not _is_problem(message):
                self._replaced = True
                await self._send_problem(errors.too_large(self._limit()))
                return
            self._begin(message)
        await self._send(message)

    def _begin(self, message: Message) -> None:
        self._status = message["status"]
        headers = message.setdefault("headers", [])
        headers.append((b"x-request-id", self._request_id.encode()))
        if self._activity.draining:
            headers.append((b"connection", b"close"))  # so that keep-alive clients move to another pod

    async def _send_problem(self, problem: errors.Problem) -> None:
        response = errors.render(problem, Request(self._scope))

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._begin(message)
            await self._send(message)

        await response(self._scope, self._receive, send)

    def _record(self, began: float, ended: float, span: SpanContext) -> None:
        route = getattr(self._scope.get("route"), "path", UNMATCHED)
        method = self._scope["method"]
        status = self._status or 500
        seconds = ended - began
        _duration(route, method, status // 100).observe(seconds, span, ended)
        logs.access.write(
            method=method,
            route=route,
            path=self._scope["path"],
            status=status,
            seconds=seconds,
            span=span,
            request=self._request_id,
        )


def _is_problem(message: Message) -> bool:
    return (b"content-type", errors.MEDIA_TYPE.encode()) in message.get("headers", ())


@lru_cache(maxsize=4096)
def _duration(route: str, method: str, status_class: int) -> telemetry.Latency:
    known_method = method if method in _METHODS else "OTHER"
    return telemetry.Latency(telemetry.HTTP_DURATION.labels(route, known_method, f"{status_class}xx"))
