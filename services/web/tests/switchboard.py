"""The network of a test: each service's name leads to its double, or to the real application in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

import httpx

Who = Callable[[httpx.Request], UUID | None]
"""Who a request comes from, by its bearer token; None for nobody."""


class Switchboard(httpx.AsyncBaseTransport):
    """Answers by host. `failing` maps a host to a status, or to an error to raise, instead of its answer."""

    def __init__(self, services: Mapping[str, httpx.AsyncBaseTransport]) -> None:
        self.services = dict(services)
        self.failing: dict[str, int | Exception] = {}
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on to whom it is for; a service that is not there refuses the connection."""
        self.requests.append(request)
        host = request.url.host
        fault = self.failing.get(host)
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return httpx.Response(fault)
        if host not in self.services:
            raise httpx.ConnectError(f"nobody is {host}")
        return await self.services[host].handle_async_request(request)

    def asked(self, host: str, method: str = "GET") -> list[str]:
        """The paths a service was asked for so far."""
        return [r.url.path for r in self.requests if r.url.host == host and r.method == method]


def answer(model: object, status: int = 200) -> httpx.Response:
    """A model of a contract as an answer."""
    text: str = model.model_dump_json()  # type: ignore[attr-defined]
    return httpx.Response(status, text=text, headers={"Content-Type": "application/json"})


def problem(
    status: int, slug: str, detail: str, field: str = "", fix: str = "", **more: object
) -> httpx.Response:
    """A problem document as the kit writes it; about one `field`, when it is named; with what it has besides."""
    body: dict[str, object] = {"type": f"urn:suuupra:problem:{slug}", "title": slug, "status": status}
    body["detail"] = f"{field} {detail}." if field else detail
    if field:
        body["errors"] = [{"field": field, "rule": detail, "fix": fix}]
    return httpx.Response(status, json=body | more, headers={"Content-Type": "application/problem+json"})
