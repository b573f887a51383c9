"""A thin, pooled client of the API server: apply, get, list, watch, patch, delete. Decides nothing.

Why not the official client: it is synchronous and most of a Python operator's memory. Credentials come from kopf, so
there is one notion of who we are.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

import aiohttp
import kopf
from aiohttp.abc import AbstractStreamWriter

from suuupra_operator.errors import ApiError, Unreachable
from suuupra_operator.kinds import Kind, kind_of

Object = dict[str, Any]

FIELD_MANAGER = "suuupra-operator"
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
WATCH_SECONDS = 290
SILENCE_SECONDS = 75
"""The API server sends a bookmark every minute: a watch silent for longer than this is dead."""
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
_CONNECTIONS = 64
_LINE_BYTES = 4 * 2**20


class _Fenced(aiohttp.BytesPayload):
    """A request body that checks the fence in the very call that hands its bytes to the socket.

    Waiting for a pooled connection takes time in which a Lease can be lost; nothing is sent before the body is.
    """

    def __init__(self, value: bytes, check: Callable[[], None], content_type: str) -> None:
        super().__init__(value, content_type=content_type)
        self._check = check

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._check()
        await super().write_with_length(writer, content_length)


class Cluster:
    """The API server, as one identity."""

    def __init__(self, connection: kopf.ConnectionInfo) -> None:
        self._connection = connection
        self._session: aiohttp.ClientSession | None = None
        self._ssl: ssl.SSLContext | None = None
        self._check: Callable[[], None] = lambda: None

    @classmethod
    def of_environment(cls) -> Self:
        """As the pod's service account, else as the current context of KUBECONFIG."""
        settings = kopf.OperatorSettings()
        found = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(
            settings=settings
        )
        if found is None:
            raise Unreachable("Kubernetes", "neither a service account nor a KUBECONFIG is here")
        return cls(found)

    def fence(self, check: Callable[[], None]) -> None:
        """From now on no write is sent unless ``check`` passes at that moment."""
        self._check = check

    async def open(self) -> None:
        """Make the connection pool; connects on first use."""
        self._ssl = self._connection.as_ssl_context()
        self._session = aiohttp.ClientSession(
            base_url=self._connection.server.rstrip("/") + "/",
            connector=aiohttp.TCPConnector(
                limit=0, limit_per_host=_CONNECTIONS, ssl=self._ssl, keepalive_timeout=60
            ),
            read_bufsize=_LINE_BYTES,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None when it does not exist."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except ApiError as error:
            if error.missing:
                return None
            raise

    async def items(
        self, kind: Kind, namespace: str | None = None, **params: str
    ) -> tuple[list[Object], str]:
        """All objects and the resourceVersion to watch from."""
        answer = await self._call("GET", kind.path(namespace), params=params)
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        return [head | item for item in answer["items"]], answer["metadata"]["resourceVersion"]

    async def text(self, path: str, **params: str) -> str:
        """A plain-text answer, such as a pod's log."""
        async with self._request("GET", path, params=params, accept="text/plain, */*") as response:
            return await response.text(errors="replace")

    async def apply(self, manifest: Object) -> Object:
        """Server-side apply as the one field manager, taking fields over from whoever changed them."""
        meta = manifest["metadata"]
        path = kind_of(manifest).path(meta.get("namespace"), meta["name"])
        params = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._call("PATCH", path, manifest, "application/apply-patch+yaml", params)

    async def merge(self, path: str, patch: Object) -> Object:
        """JSON merge patch; give metadata.resourceVersion to make it conditional."""
        return await self._call(
            "PATCH", path, patch, "application/merge-patch+json", {"fieldManager": FIELD_MANAGER}
        )

    async def json_patch(self, path: str, operations: list[Object]) -> Object:
        """JSON patch (RFC 6902)."""
        params = {"fieldManager": FIELD_MANAGER}
        return await self._call("PATCH", path, operations, "application/json-patch+json", params)

    async def create(self, manifest: Object) -> Object:
        path = kind_of(manifest).path(manifest["metadata"].get("namespace"))
        return await self._call("POST", path, manifest, params={"fieldManager": FIELD_MANAGER})

    async def replace(self, manifest: Object) -> Object:
        """PUT: refused with a conflict unless metadata.resourceVersion is the newest."""
        meta = manifest["metadata"]
        path = kind_of(manifest).path(meta.get("namespace"), meta["name"])
        return await self._call("PUT", path, manifest, params={"fieldManager": FIELD_MANAGER})

    async def passed_on(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What a service answers that the API server passes this on to."""
        async with self._request(method, path, body) as response:
            text = await response.text(errors="replace")
            return json.loads(text) if text else {}

    async def delete(self, obj: Object) -> None:
        """Delete exactly this object (its uid), dependents in the background. Already gone is fine."""
        meta = obj["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": meta["uid"]},
        }
        try:
            await self._call("DELETE", kind_of(obj).path(meta.get("namespace"), meta["name"]), options)
        except ApiError as error:
            if (
                not error.missing and not error.conflict
            ):  # a conflict says: that uid is gone, another took the name
                raise

    async def watch(
        self, kind: Kind, namespace: str | None, version: str, **params: str
    ) -> AsyncIterator[Object]:
        """Events since ``version``, bookmarks included, until the server or silence ends the stream."""
        query = params | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_SECONDS)
        async with self._request("GET", kind.path(namespace), params=query, timeout=timeout) as response:
            try:
                async for line in response.content:
                    yield json.loads(line)
            except (TimeoutError, aiohttp.ClientError):
                return

    async def _call(
        self,
        method: str,
        path: str,
        body: object | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Object:
        async with self._request(method, path, body, content_type, params) as response:
            try:
                answer: Object = await response.json()
            except (TimeoutError, aiohttp.ClientError) as error:
                raise Unreachable("Kubernetes", error) from error
            return answer

    def _request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        *,
        accept: str = "application/json",
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> _Response:
        if self._session is None:
            raise RuntimeError("open() comes first")
        headers = {"Accept": accept, **self._credentials()}
        data = None if body is None else _Fenced(json.dumps(body).encode(), self._check, content_type)
        return _Response(
            self._session.request(method, path, params=params, data=data, headers=headers, timeout=timeout)
        )

    def _credentials(self) -> dict[str, str]:
        """Service account tokens are rotated on disk, so the file is read each time."""
        headers: dict[str, str] = dict(self._connection.as_http_headers())
        if (
            self._connection.token
            and self._connection.ca_path
            and str(self._connection.ca_path).startswith("/var/run")
        ):
            with open(_TOKEN, encoding="utf-8") as file:
                headers["Authorization"] = f"Bearer {file.read().strip()}"
        return headers


class _Response:
    """A response whose refusals are ApiError and whose absence is Unreachable."""

    def __init__(self, request: Any) -> None:
        self._request = request

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            response: aiohttp.ClientResponse = await self._request.__aenter__()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable("Kubernetes", error) from error
        if response.status >= 400:
            try:
                raise await _refusal(response)
            finally:
                response.release()
        return response

    async def __aexit__(self, *exc: object) -> None:
        await self._request.__aexit__(*exc)


async def _refusal(response: aiohttp.ClientResponse) -> ApiError:
    text = await response.text(errors="replace")
    try:
        status = json.loads(text)
        return ApiError(response.status, str(status.get("reason", "")), str(status.get("message", "")))
    except (ValueError, AttributeError):
        return ApiError(response.status, "", text[:200])


async def established(cluster: Cluster, *kinds: Kind, pause: float = 2.0) -> None:
    """Wait until the API server serves every kind; ``pause`` in seconds between questions."""
    for kind in kinds:
        while True:
            try:
                await cluster.items(kind, limit="1")
                break
            except ApiError as error:
                if not (error.missing or error.temporary):  # a definition just applied: first 404, then 429
                    raise
            except Unreachable:
                pass
            await asyncio.sleep(pause)
