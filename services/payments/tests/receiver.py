"""Somebody who receives webhooks: a real HTTP server that verifies them with the Standard Webhooks library."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from suuupra.testing.containers import free_port
from suuupra.testing.listening import listening


@dataclass(slots=True)
class Delivered:
    """A request as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Answers with `status`, and keeps what came."""

    url: str
    status: int = 204
    came: list[Delivered] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.came.append(Delivered(dict(request.headers), await request.body()))
        return Response(status_code=self.status)

    def verified(self, secret: str, number: int = -1) -> dict[str, Any]:
        """What a delivery says; raises WebhookVerificationError unless it is genuine and fresh."""
        it = self.came[number]
        said: dict[str, Any] = Webhook(secret).verify(it.body, it.headers)
        return said


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens on 127.0.0.1."""
    port = free_port()
    receiver = Receiver(f"http://127.0.0.1:{port}/hook")
    app = Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])
    async with listening(app, port):
        yield receiver
