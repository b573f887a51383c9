"""Another service, called over HTTP by cluster DNS."""

from __future__ import annotations

import httpx

from suuupra.telemetry import http_client


class HttpService:
    """A resource that holds the connections to one other service; `client` is to be used while the app runs."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        timeout: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.client = http_client(base_url, timeout=timeout, transport=transport)

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        await self.client.aclose()

    async def check(self) -> None:
        """Never a reason to be unready: were it one, a service that is down would take all its callers with it."""
