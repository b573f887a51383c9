"""The few calls of the Kubernetes API the gateway makes. The official client would be most of its memory."""

import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts the pod's token; it is renewed there before it expires."""

WATCH_SECONDS: Final = 50
"""How long the server keeps one watch; it ends it in order, and the next goes on from there."""
SILENCE_SECONDS: Final = 60.0
"""A watch that neither ended nor said anything for so long is taken for lost."""


class Unreachable(Exception):
    """The API server did not answer, or not with what was asked. The text is for people."""


class NoAccount(Exception):
    """The pod was given no account to ask the API server with."""


class Gone(Exception):
    """The watched version is too old (410): everything must be listed again."""


class Token(Protocol):
    def __call__(self) -> str | None:
        """The bearer token right now; None where the TLS client certificate is the identity."""


@dataclass(frozen=True)
class Access:
    """How to reach an API server, and as whom."""

    url: str
    tls: ssl.SSLContext
    token: Token


@dataclass(frozen=True)
class Place:
    """A namespace of a cluster, and the way to it."""

    access: Access
    namespace: str


@dataclass(frozen=True)
class PodAccount:
    """The account every pod is given: who it is, and where the API server is."""

    host: str
    port: int
    folder: Path

    def place(self) -> Place:
        """Raises NoAccount where the folder lacks what the kubelet puts there."""
        address = f"[{self.host}]" if ":" in self.host else self.host
        try:
            tls = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
            namespace = (self.folder / "namespace").read_text().strip()
        except OSError as error:
            raise NoAccount(
                f"{self.folder} holds no account; set automountServiceAccountToken: true"
            ) from error
        return Place(Access(f"https://{address}:{self.port}", tls, self._token), namespace)

    def _token(self) -> str:
        return (self.folder / "token").read_text().strip()


@dataclass(frozen=True)
class Listing:
    items: tuple[dict[str, Any], ...]
    version: str


class Api:
    """List and watch. Every failure is Unreachable or Gone."""

    def __init__(self, access: Access, silence: float = SILENCE_SECONDS) -> None:
        self._access = access
        self._silence = silence
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def list(self, path: str) -> Listing:
        try:
            async with self._get(path, {}, aiohttp.ClientTimeout(total=15)) as response:
                body = await response.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreachable(_say(error)) from error
        return Listing(tuple(body.get("items") or ()), body["metadata"]["resourceVersion"])

    async def watch(
        self, path: str, version: str, opened: Callable[[], None]
    ) -> AsyncIterator[dict[str, Any]]:
        """Events after ``version``, bookmarks included, until the server ends the watch. Calls ``opened`` first."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        patience = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=self._silence)
        try:
            async with self._get(path, query, patience) as response:
                opened()
                async for event in _events(response):
                    yield event
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreachable(_say(error)) from error

    def _get(self, path: str, query: dict[str, str], patience: aiohttp.ClientTimeout) -> "_Answer":
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._access.tls))
        token = self._access.token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = self._access.url + path
        return _Answer(self._session.get(url, params=query, headers=headers, timeout=patience))


class _Answer:
    """A response that is checked when it is entered."""

    def __init__(self, request: "aiohttp.client._RequestContextManager") -> None:
        self._request = request

    async def __aenter__(self) -> aiohttp.ClientResponse:
        response = await self._request.__aenter__()
        if response.status == 410:
            await self._request.__aexit__(None, None, None)
            raise Gone
        if response.status != 200:
            reason = _reason(await response.text())
            await self._request.__aexit__(None, None, None)
            raise Unreachable(f"the API server answered {response.status}: {reason}")
        return response

    async def __aexit__(self, *failure: Any) -> None:
        await self._request.__aexit__(*failure)


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """One JSON object per line; a line may be longer than any of aiohttp's own buffers."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["type"] == "ERROR":
                _raise_for(event["object"])
            yield event


def _raise_for(status: dict[str, Any]) -> None:
    if status.get("code") == 410:
        raise Gone
    raise Unreachable(f"the watch ended with an error: {status.get('message', status)}")


def _reason(body: str) -> str:
    try:
        return str(json.loads(body).get("message") or body[:200])
    except (ValueError, AttributeError):
        return body[:200] or "no reason given"


def _say(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the API server was silent for too long"
    return f"the API server cannot be reached: {error or type(error).__name__}"
