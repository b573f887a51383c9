"""A service to put behind the gateway: it tells what reached it, and can be slow, large, streaming or broken."""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from typing import Any

Scope = dict[str, Any]
SLOW_SECONDS = 1.0
FORGED = (
    (b"ratelimit", b'"forged";r=999;t=1'),
    (b"ratelimit-policy", b'"forged";q=999;w=1'),
    (b"x-ratelimit-limit", b"999"),
    (b"x-ratelimit-remaining", b"999"),
    (b"x-ratelimit-reset", b"999"),
    (b"x-suuupra-limits", b'"forged";r=999;t=1'),
)
"""What only a gateway may say of its limits."""


async def app(scope: Scope, receive: Any, send: Any) -> None:
    match scope["type"]:
        case "lifespan":
            await _lifespan(receive, send)
        case "http":
            await _http(scope, receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _http(scope: Scope, receive: Any, send: Any) -> None:
    body = await _body(receive)
    last = scope["path"].rsplit("/", 1)[-1]
    match last:
        case "stream":
            await _stream(send)
        case "slow":
            await asyncio.sleep(SLOW_SECONDS)
            await _answer(send, 200, {"slow": True})
        case "never":
            await asyncio.Event().wait()
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "status-503" | "status-500":
            await _answer(send, int(last[-3:]), {"from": "the service itself"})
        case "forging":
            await _answer(send, 200, _seen(scope, body), FORGED)
        case "large":
            await _answer(send, 200, {"text": "x" * 100_000})
        case "part":
            await _answer(send, 206, {"text": "x" * 100_000})
        case _:
            await _answer(send, 200, _seen(scope, body))


def _seen(scope: Scope, body: int) -> dict[str, Any]:
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    path = scope["raw_path"].decode()
    return {
        "pid": os.getpid(),
        "method": scope["method"],
        "path": path,
        "headers": headers,
        "body_bytes": body,
    }


async def _body(receive: Any) -> int:
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return total
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            return total


async def _answer(send: Any, status: int, content: Any, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"etag", b'"7"'),
        (b"server", b"secret-software/1.0"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Any) -> None:
    """Three server-sent events, a while apart."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    for number in range(3):
        await send({"type": "http.response.body", "body": f"data: {number}\n\n".encode(), "more_body": True})
        await asyncio.sleep(0.4)
    await send({"type": "http.response.body", "body": b""})
