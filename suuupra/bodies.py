"""How many bytes of a body a route takes, and that a body of more is refused before its handler has any effect.

FastAPI's `max_body_size` alone is not enough: it counts what a handler reads, and of a handler that reads nothing it
replaces the answer once the effect is there. Here the length that a request states is looked at before anything of the
route runs; a body without one is read first, as far as the limit, whether the handler wants it or not. The server sees
to it that no body is longer than stated. Whoever is refused is still sending, and would not hear it if the connection
were closed at once (RFC 9112, 9.6): suuupra.edge answers, reads on for a while, and closes it then.

A handler that takes its body piece by piece, as it comes, says so and undoes what it did when a piece is refused:

    @router.post("/files", max_body_size=limit)
    async def upload(pieces: BodyStream) -> File: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Awaitable
from typing import Annotated, Final

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suuupra.errors import too_large

HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})
"""One of them is in every request that has a body (RFC 9112, 6)."""
BODY: Final = "suuupra.body"
"""In the scope of a request that has one of them; suuupra.edge, which reads all headers anyway, puts it there."""
REST: Final = "suuupra.rest"
"""In the scope of a request whose body was refused before its end: receives the rest, for `discard`."""
MOST_DISCARDED: Final = 64 * 1024 * 1024
"""Bytes of a refused body that are read, to let who sends them hear that they are refused."""
DISCARD_SECONDS: Final = 5.0


async def _stream(request: Request) -> AsyncIterator[bytes]:
    return request.stream()


BodyStream = Annotated[AsyncIterator[bytes], Depends(_stream)]
"""A parameter of a handler: the body's pieces, none of which is beyond the limit."""


def bounded(route: BaseRoute, limit: int) -> BaseRoute:
    """The route with its own `max_body_size`, or else `limit`, in force. The given one, a module's, stays as it is."""
    if isinstance(route, WebSocketRoute):
        return route
    if not isinstance(route, Route):
        raise TypeError(
            f"{route!r} is several routes in one, whose bodies nobody would count; give each by itself"
        )
    bounds = copy.copy(route)
    own: int | None = getattr(route, "max_body_size", None)
    bounds.app = _Bounded(route.app, limit if own is None else own, streams=_streams(route))
    return bounds


def _streams(route: Route) -> bool:
    return isinstance(route, APIRoute) and any(one.call is _stream for one in route.dependant.dependencies)


class _Bounded:
    """What a route runs, behind its limit."""

    def __init__(self, app: ASGIApp, limit: int, *, streams: bool) -> None:
        self._app = app
        self._limit = limit
        self._streams = streams

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if BODY not in scope:  # most requests: not even a coroutine of ours
            return self._app(scope, receive, send)
        return self._within(scope, receive, send)

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = _stated(scope)
        if length is None:
            counted = _counted(scope, receive, self._limit)
            receive = counted if self._streams else _again(await _whole(counted), receive)
        elif length > self._limit:
            scope[REST] = receive
            raise too_large(self._limit)
        await self._app(scope, receive, send)


def _stated(scope: Scope) -> int | None:
    """The body's length; None of one that comes in chunks."""
    length = None
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length" and value.isdigit():
            length = int(value)
    return length


def _counted(scope: Scope, receive: Receive, limit: int) -> Receive:
    received = 0

    async def count() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            if message.get("more_body"):
                scope[REST] = receive
            raise too_large(limit)
        return message

    return count


async def _whole(receive: Receive) -> bytes:
    pieces = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read to whoever asks first, and then what comes after it."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return unread.pop() if unread else await receive()

    return give


async def discard(receive: Receive) -> None:
    """Read on, until the body or its sender's patience ends, or ours does."""
    left = MOST_DISCARDED
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while left > 0:
                message = await receive()
                if not message.get("more_body"):
                    return
                left -= len(message["body"])
