"""The switches of rails over HTTP: a message is signed when it is sent, so that an old one is as good as a new one."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import httpx
from prometheus_client import Counter

from services.payments.clients.keys import Keys
from services.payments.clients.upi import REGISTRATION, keys_of
from services.upi_core.contract import JWKS_PATH, Ack, refusal_in
from suuupra import logs
from suuupra.clock import Clock
from suuupra.errors import Unavailable
from suuupra.signatures import Signer
from suuupra.telemetry import http_client

ANSWER_SECONDS: Final = 5.0
"""What an acknowledgement may take; it comes at once or not at all."""

_log = logs.get_logger(__name__)
_sent: Final = Counter("suuupra_payments_rail_messages_total", "Messages sent to rails.", ["api", "result"])


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of sending. `refused` has the code in `detail`; `later` needs another try."""

    kind: Literal["acknowledged", "refused", "later"]
    detail: str = ""
    body: bytes = b""


class Switches:
    """A resource: the connections to the switches, and the key that we sign with."""

    name = "switches"

    def __init__(
        self, keys: Keys, sender: str, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._keys = keys
        self._sender = sender
        self._clock = clock
        self._client = http_client("", timeout=ANSWER_SECONDS, transport=transport)

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def check(self) -> None:
        """Never a reason to be unready: messages wait while a switch is away."""

    async def send(self, url: str, api: str, method: str, path: str, body: str) -> Reply:
        """Sign and send; what went wrong is in the reply. Only what the switch says for good is a refusal."""
        reply = await self._send(url, api, method, path, body.encode())
        _sent.labels(api, reply.kind).inc()
        if reply.kind != "acknowledged":
            _log.warning("a rail did not take a message", api=api, result=reply.kind, why=reply.detail)
        return reply

    async def _send(self, url: str, api: str, method: str, path: str, body: bytes) -> Reply:
        try:
            signer = Signer((await self._keys.ring()).signing, self._sender)
            headers = signer.sign(method, path, body, self._clock.now())
            headers["content-type"] = "application/json"
            answer = await self._client.request(method, url + path, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, Unavailable) as error:
            return Reply("later", f"{type(error).__name__}: {error}".rstrip(": "))
        return _read(api, answer)

    async def keys(self, url: str) -> dict[str, Any] | None:
        """The keys that a switch publishes now, or None when it cannot be asked."""
        try:
            answer = await self._client.get(url + JWKS_PATH)
            found = answer.json() if answer.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("keys"), list) else None


def _read(api: str, answer: httpx.Response) -> Reply:
    if answer.status_code == 409 and (code := refusal_in(answer.content)):
        return Reply("refused", code)
    if answer.status_code >= 300:
        return Reply("later", f"answered {answer.status_code}: {answer.text[:200]}")
    try:
        if api == REGISTRATION:
            keys_of(answer.content)
            return Reply("acknowledged", body=answer.content)
        ack = Ack.model_validate_json(answer.content)
    except ValueError:
        return Reply("later", "answered something that is no acknowledgement")
    return Reply("refused", str(ack.err)) if ack.err else Reply("acknowledged")
