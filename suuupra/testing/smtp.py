"""A mail server in the test's own loop: the real protocol over a real socket, with faults on demand."""

import asyncio
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP

from suuupra.testing.waiting import until


@dataclass(slots=True)
class MailServer:
    """Keeps what it takes. `address_answer` and `data_answer` refuse; `hang` and `vanish` are what networks do."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    """Of the envelopes, one per message."""
    address_answer: str | None = None
    """Said to RCPT instead of 250, such as `450 4.7.1 later`."""
    data_answer: str | None = None
    """Said to the message instead of 250; nothing is kept."""
    vanish: bool = False
    """Keep the message and hang up without an answer: the sender cannot know."""
    hang: bool = False
    """Never answer the message."""
    _server: asyncio.Server | None = None
    _sessions: list[SMTP] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before when there was one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Hang up on everyone and refuse connections."""
        talks = [it._handler_coroutine for it in self._sessions if it._handler_coroutine is not None]
        for session in self._sessions:
            _hang_up(session)
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        self._sessions.clear()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def received(self, count: int, *, limit: float = 30.0) -> list[EmailMessage]:
        """The messages, once there are `count` of them."""

        async def enough() -> bool:
            return len(self.messages) >= count

        await until(enough, limit=limit)
        return list(self.messages)

    def _session(self) -> SMTP:
        self._sessions.append(SMTP(self, hostname="mail.test", enable_SMTPUTF8=True))
        return self._sessions[-1]

    async def handle_RCPT(  # noqa: N802 (the hook's name)
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """The hook of aiosmtpd for a recipient."""
        if self.address_answer is None:
            envelope.rcpt_tos.append(address)
        return self.address_answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        """The hook of aiosmtpd for a message."""
        if self.hang:
            await asyncio.Event().wait()
        if self.data_answer is not None:
            return self.data_answer
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients.append(envelope.rcpt_tos[0])
        if self.vanish:
            _hang_up(server)
        return "250 OK"


def _hang_up(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.WriteTransport):
        session.transport.abort()


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    """The plain or html part of a message."""
    body = message.get_body((kind,))
    assert body is not None, f"no {kind} part"
    return str(body.get_content())
