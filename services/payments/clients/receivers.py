"""The receivers of webhooks over HTTP: only public addresses, no redirections, little patience; an answer's body is
never read, its status is all that counts.

A name is resolved once, judged, and then connected to at exactly the addresses that were judged: a name that says
something else a moment later (DNS rebinding) leads nowhere.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from services.payments.domain.webhooks import Forbidden, check_address, check_resolved
from suuupra.trust import authorities

ANSWER_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 3.0

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) → the addresses it stands for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of the receiver, or what went wrong instead of one."""

    status: int | None
    error: str | None
    milliseconds: int


async def resolve(host: str, port: int) -> Sequence[str]:
    """What the system says. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Receivers:
    """A resource: what reaches receivers."""

    name = "webhook-receivers"

    def __init__(
        self,
        *,
        guarded: bool,
        resolve: Resolve = resolve,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._guarded = guarded
        self._resolve = resolve
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            verify=authorities(trust_env=False),
            transport=transport,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def check(self) -> None:
        """Never a reason to be unready."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send; what went wrong is in the answer."""
        began = time.monotonic()
        status, error = None, None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await self._post(url, body, headers)
        except Forbidden as refusal:
            error = f"not sent: the address {refusal}"
        except TimeoutError:
            error = f"no answer within {ANSWER_SECONDS:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
            error = f"{type(fault).__name__}: {fault}".rstrip(": ")[:300]
        return Answer(status, error, round((time.monotonic() - began) * 1000))

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        check_address(url, guarded=self._guarded)
        target, extensions, own = await self._pinned(url) if self._guarded else (url, {}, {})
        request = self._client.build_request(
            "POST", target, content=body, headers={**headers, **own}, extensions=extensions
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code

    async def _pinned(self, url: str) -> tuple[str, dict[str, object], dict[str, str]]:
        """The address with its host resolved, judged and replaced; certificate and Host stay the name's."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        addresses = await self._resolve(host, port)
        check_resolved(addresses)
        literal = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        target = parts._replace(netloc=f"{literal}:{port}").geturl()
        return target, {"sni_hostname": host}, {"Host": parts.netloc}
