"""A network of applications inside the test: each has a host, can be away, and can lose answers."""

from collections.abc import Callable

import httpx
from fastapi import FastAPI

Rule = Callable[[httpx.Request], bool]


class Mesh(httpx.AsyncBaseTransport):
    """Sends a request to the application behind its host."""

    def __init__(self) -> None:
        self._hosts: dict[str, httpx.ASGITransport] = {}
        self.away: set[str] = set()
        self.lost: list[Rule] = []
        """Requests that never arrive."""
        self.unanswered: list[Rule] = []
        """Requests that arrive and whose acknowledgement is lost."""
        self.sent: list[httpx.Request] = []

    def add(self, host: str, app: FastAPI) -> None:
        self._hosts[host] = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if host in self.away or any(rule(request) for rule in self.lost):
            raise httpx.ConnectError(f"{host} is away", request=request)
        response = await self._hosts[host].handle_async_request(request)
        self.sent.append(request)
        if any(rule(request) for rule in self.unanswered):
            raise httpx.ReadTimeout(f"{host} did not answer", request=request)
        return response

    def count(self, path: str, containing: str = "") -> int:
        """How often something was sent to a path."""
        return sum(
            request.url.path.endswith(path) and containing.encode() in request.content
            for request in self.sent
        )
