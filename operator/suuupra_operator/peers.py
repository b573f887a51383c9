"""Services as the operator asks them: their internal APIs, over HTTP.

In the cluster it goes to their address. An operator that runs outside, as in tests, has no way there: it asks the API
server to pass it on, which takes rights that the operator's own account does not have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from suuupra_operator.cluster import Cluster
from suuupra_operator.desired.rail import address
from suuupra_operator.desired.subject import HTTP_PORT
from suuupra_operator.errors import ApiError, Temporary, Unreachable

TIMEOUT = aiohttp.ClientTimeout(total=8, sock_connect=3)


class Peers:
    """Asks services."""

    def __init__(self, cluster: Cluster, *, in_cluster: bool) -> None:
        self._cluster, self._in_cluster = cluster, in_cluster
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, namespace: str, resource: str, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Any | None:
        """The answer, None when nothing is there; ApiError when it refuses, Temporary when it cannot answer now."""
        try:
            if self._in_cluster:
                return await self._directly(resource, address(resource, namespace) + path, method, body)
            proxy = f"/api/v1/namespaces/{namespace}/services/http:{resource}:{HTTP_PORT}/proxy{path}"
            return await self._cluster.passed_on(method, proxy, body)
        except ApiError as error:
            if error.missing:
                return None
            if error.temporary:
                raise Temporary(f"{resource} does not answer: {error}") from error
            raise
        except ValueError as error:  # of something between us and the service, perhaps
            raise Temporary(f"{resource} does not answer in JSON") from error

    async def _directly(self, resource: str, url: str, method: str, body: Mapping[str, Any] | None) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        try:
            async with self._session.request(method, url, json=body) as response:
                text = await response.text(errors="replace")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(resource, error) from error
        if response.status >= 400:
            raise ApiError(response.status, "", _told(text))
        return json.loads(text) if text else {}


def _told(text: str) -> str:
    """What a problem document says (RFC 9457), with the fields it names."""
    try:
        problem = json.loads(text)
        faults = [f"{e['field']} {e['rule']}" for e in problem.get("errors", [])]
        return "; ".join(faults) or str(problem.get("detail") or text[:200])
    except (ValueError, AttributeError, KeyError, TypeError):
        return text[:200]
