"""The outermost layer around every request: ids, trace, metrics, one log line, and the last word on errors.

It is one ASGI callable with one wrapped `send` rather than a stack of middlewares: at a few thousand requests a
second and core, each further layer costs more than what it does.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from opentelemetry.trace import SpanContext
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suuupra import bodies, errors, logs, telemetry

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEAD: Final = "suuupra.head"
"""In the scope of a request that a route sees as GET and that asks for the headers only."""
_CLIENT_CLOSED: Final = 499
"""What the log and the metrics say of a request whose caller went away; nginx's number for it."""
UNMATCHED: Final = "unmatched"
"""The route label of requests that match no route, so that guessed paths cannot fill the metrics store."""
_COME_BACK: Final = b"retry: 1000\n\n"
"""The last words of a stream: the browser connects again after a second, to another pod."""
_SERVICE_RESTART: Final = 1012
"""WebSocket's close code for it (IANA's registry)."""
_TRACE_HEADERS: Final = frozenset({b"traceparent", b"tracestate"})

_log = logs.get_logger(__name__)


class Activity:
    """How many requests are being answered, and a way to await that none is.

    Streams (server-sent events, WebSockets) are none of them: they have no end of their own, so draining ends them.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        self._streams: dict[object, Callable[[], object]] = {}

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def begin(self) -> None:
        self.in_flight += 1
        self._idle.clear()

    def end(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    def opened(self, stream: object, end: Callable[[], object]) -> None:
        """Count a stream; `end` asks it to end, now if this process is draining."""
        self._streams[stream] = end
        if self.draining:
            end()

    def closed(self, stream: object) -> None:
        """Count it no more."""
        self._streams.pop(stream, None)

    def drain(self) -> None:
        """Tell those who ask from now on to go elsewhere, and end every stream."""
        self.draining = True
        for end in tuple(self._streams.values()):
            end()

    async def idle(self) -> None:
        """Return when nothing is in flight."""
        await self._idle.wait()


class Edge:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, *, activity: Activity) -> None:
        self._app = app
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._converse(scope, receive, send)
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            await _Exchange(self._app, scope, receive, send, self._activity).run()

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket; when the process drains its caller is told that the service restarts."""
        stream = _Stream(asyncio.current_task())
        self._activity.opened(stream, stream.end)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            stream.ended()
            await send({"type": "websocket.close", "code": _SERVICE_RESTART})
        finally:
            self._activity.closed(stream)


class CutOff(Exception):
    """An answer that had begun has no end. Why is in the log; the server closes the connection.

    Nothing else can tell the caller: the status has gone out, and a body that ends in order would pass for a whole one.
    """


class _Stream:
    """Something without an end of its own, run by a task."""

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self._task = task
        self._ending = False

    def end(self) -> None:
        """Cancel what produces it."""
        self._ending = True
        if self._task is not None:
            self._task.cancel()

    def ended(self) -> None:
        """Called where a cancellation arrives: take note that it was this one, or raise it on."""
        if not self._ending or self._task is None or self._task.uncancel():
            raise asyncio.CancelledError


class _Exchange:
    """One request and its response."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, activity: Activity) -> None:
        self._app = app
        self._method: str = scope["method"]
        # HEAD is GET without its body (RFC 9110, 9.3.2). A copy: the server must go on knowing that it is HEAD.
        self._scope = {**scope, "method": "GET", HEAD: True} if self._method == "HEAD" else scope
        self._receive = receive
        self._send = send
        self._activity = activity
        self._request_id = ""
        self._status = 0
        self._complete = False
        self._whole_event = True
        self._stream: _Stream | None = None
        self._rest: Receive | None = None
        self._task = asyncio.current_task()  # here: what sends may be a task of the framework's

    async def run(self) -> None:
        self._activity.begin()
        try:
            await self._run()
            # After all is counted and logged: it takes as long as its sender likes.
            if self._rest is not None:
                await bodies.discard(self._rest)
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if self._stream is None:
                self._activity.end()
            else:
                self._activity.closed(self._stream)

    async def _run(self) -> None:
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
            if name in bodies.HEADERS:
                self._scope[bodies.BODY] = True
            elif name == b"x-request-id":
                given = value
            elif name in _TRACE_HEADERS:
                trace_headers[name.decode()] = value.decode("latin-1")
        return given.decode() if _REQUEST_ID.fullmatch(given) else "", trace_headers

    async def _answer(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send_on)
        except ClientDisconnect:
            if not self._complete:
                self._status = _CLIENT_CLOSED
        except asyncio.CancelledError:
            if self._stream is None:
                raise
            self._stream.ended()
            await self._end_stream()
        # Here and nowhere else may any error end: the caller gets an answer, the log gets the cause.
        except Exception as error:
            problem = _problem_of(error, begun=bool(self._status))
            if self._status and isinstance(problem, errors.Unavailable):
                self._say_cut_off(problem)
            elif problem.status >= 500 or self._status:
                _log.exception("unhandled error", method=self._method, path=self._scope["path"])
            if self._status:
                raise CutOff from error
            await self._send_problem(problem)

    def _say_cut_off(self, problem: errors.Problem) -> None:
        _log.warning(
            "an answer was cut off",
            method=self._method,
            path=self._scope["path"],
            reason=problem.title,
            detail=problem.detail,
            what_to_do="mend the reason; the caller sees a body without its end, and has to ask for all of it anew",
        )

    async def _send_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message)
            if message["status"] == 413:
                self._rest = self._scope.get(bodies.REST)
            await self._send(message)
        elif self._method == "HEAD":
            await self._send_no_body(message)
        else:
            self._whole_event = message.get("body", b"").endswith((b"\n\n", b"\r\n\r\n"))
            await self._send(message if self._rest is None else {**message, "more_body": True})

    async def _send_no_body(self, message: Message) -> None:
        if not self._complete:
            self._complete = True
            more = self._rest is not None
            await self._send({"type": "http.response.body", "body": b"", "more_body": more})
        if message.get("more_body"):
            raise ClientDisconnect  # whoever streams need not go on

    async def _end_stream(self) -> None:
        last = _COME_BACK if self._whole_event else b""
        await self._send({"type": "http.response.body", "body": last, "more_body": False})

    def _begin(self, message: Message) -> None:
        self._status = message["status"]
        headers = message.setdefault("headers", [])
        headers.append((b"x-request-id", self._request_id.encode()))
        if self._activity.draining:
            headers.append((b"connection", b"close"))  # so that keep-alive clients move to another pod
        if self._method != "HEAD" and _is_stream(message):
            self._stream = _Stream(self._task)
            self._activity.end()
            self._activity.opened(self._stream, self._stream.end)

    async def _send_problem(self, problem: errors.Problem) -> None:
        response = errors.render(problem, Request(self._scope))

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._begin(message)
            await self._send(message)

        await response(self._scope, self._receive, send)

    def _record(self, began: float, ended: float, span: SpanContext) -> None:
        route = getattr(self._scope.get("route"), "path", UNMATCHED)
        method = self._method
        status = self._status or 500
        seconds = ended - began
        if self._stream is None:  # how long somebody listened is no latency
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


def _problem_of(error: Exception, *, begun: bool) -> errors.Problem:
    """The problem that an error is, or that was found too late to answer with, once that has begun; else Internal."""
    for one in (error, error.__cause__ if begun else None):
        if isinstance(one, errors.Problem):
            return one
    return errors.Internal()


def _is_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message["headers"]
    )


@lru_cache(maxsize=4096)
def _duration(route: str, method: str, status_class: int) -> telemetry.Latency:
    known_method = method if method in _METHODS else "OTHER"
    return telemetry.Latency(telemetry.HTTP_DURATION.labels(route, known_method, f"{status_class}xx"))
