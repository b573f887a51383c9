"""The local mail server's own record of what it took (images/mail-sink); only a developer's machine has one."""

from datetime import datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from suuupra.calls import HttpService
from suuupra.errors import FieldError, NotFound, Unavailable

M = TypeVar("M", bound=BaseModel)


class SinkUnavailable(Unavailable):
    """The mail server's record cannot be read."""

    slug, title = "mail-sink-unavailable", "The mail server does not show its mail right now"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class TakenMail(_Model):
    """A mail that was taken. `copies`: how often it came under its Message-ID."""

    id: int
    at: datetime
    sender: str
    recipients: list[str]
    subject: str
    message_id: str
    copies: int


class OpenMail(TakenMail):
    """With its headers and texts."""

    headers: list[tuple[str, str]]
    text: str | None
    html: str | None


class _List(_Model):
    messages: list[TakenMail]


class Sink(HttpService):
    """The record's HTTP API."""

    def __init__(self, address: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__("mail-sink", address, timeout=3.0, transport=transport)

    async def newest(self, to: str | None = None) -> list[TakenMail]:
        """All mail, or that to one address, the newest first."""
        answer = await self._ask("GET", "/api/messages", {"to": to} if to else {})
        return _read(_List, answer).messages

    async def read(self, id_: int) -> OpenMail:
        """One mail. Raises NotFound."""
        return _read(OpenMail, await self._ask("GET", f"/api/messages/{id_}"))

    async def clear(self) -> None:
        """Forget all mail."""
        await self._ask("DELETE", "/api/messages")

    async def _ask(self, method: str, path: str, params: dict[str, str] | None = None) -> httpx.Response:
        try:
            answer = await self.client.request(method, path, params=params)
        except httpx.TransportError as error:
            raise SinkUnavailable("The mail server does not answer.") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            wrong = FieldError("path", "must lead to a mail that is kept", "take it from the list")
            raise NotFound("This mail is not there, or no longer.", errors=[wrong])
        if answer.is_error:
            raise SinkUnavailable(f"The mail server answers {answer.status_code}.")
        return answer


def _read(kind: type[M], answer: httpx.Response) -> M:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as error:
        raise SinkUnavailable("The mail server's answer cannot be read.") from error
