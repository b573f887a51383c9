"""Mail: handed to an SMTP server (RFC 5321), one message at a time.

    await mailer.send(to="asha@example.org", subject="Welcome", text="…", html="<p>…", message_id=id_of(...))

Returning means that the server has taken the message. The caller learns two ways in which it did not:

- `MailUnavailable`: the server is away, slow, or said «later» (4yz). It says nothing about the message, so
  suuupra.patience waits for as long as it lasts. The message *may* have been taken: when a connection breaks after
  the last byte, only the answer is lost. Whoever sends again sends the same `message_id`, by which the far side can
  tell (RFC 5322, 3.6.4), but SMTP itself promises no more than «at least once».
- `MailRefused`: the server will never take this message (5yz).

Neither quotes the address, the subject or the server's own words: they go into logs and dead letters.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, make_msgid, parseaddr
from typing import ClassVar, Final, NoReturn, Protocol, Self

import aiosmtplib
from aiosmtplib.errors import (
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from suuupra.clock import Clock, SystemClock
from suuupra.errors import Unavailable

GOODBYE_SECONDS: Final = 1.0
"""How long QUIT may take once the message is taken: nothing depends on its answer."""
_ENHANCED: Final = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")


class MailUnavailable(Unavailable):
    """The mail server cannot be reached, is busy, or did not answer in time."""

    slug: ClassVar[str] = "mail-unavailable"
    title: ClassVar[str] = "Mail cannot be sent right now"


class MailRefused(Exception):
    """The mail server will not take this message, now or later. `code` is its answer (RFC 5321, 4.2)."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the mail server refused the message with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason
        """The enhanced status code (RFC 3463), such as 5.1.1 for a mailbox that is not there; empty without one."""


class SmtpOfService(Protocol):
    """What is read of a service's settings."""

    @property
    def smtp_host(self) -> str: ...
    @property
    def smtp_port(self) -> int: ...
    @property
    def smtp_sender(self) -> str: ...
    @property
    def smtp_timeout(self) -> float: ...


class Mailer:
    """The way to one mail server. Nothing connects before the first message; each has a connection of its own."""

    name = "smtp"

    def __init__(self, host: str, port: int, *, sender: str, timeout: float, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._sender = mailbox(sender)
        self._timeout = timeout
        self._clock = clock

    @classmethod
    def of(cls, settings: SmtpOfService, clock: Clock | None = None) -> Self:
        """As the settings say."""
        return cls(
            settings.smtp_host,
            settings.smtp_port,
            sender=settings.smtp_sender,
            timeout=settings.smtp_timeout,
            clock=clock or SystemClock(),
        )

    async def open(self) -> None:
        """Nothing: the server may be away when a pod starts."""

    async def close(self) -> None:
        """Nothing: no connection is kept."""

    async def check(self) -> None:
        """Raise MailUnavailable unless the server greets us now."""
        try:
            async with asyncio.timeout(self._timeout):
                client = await self._greeted()
        except TimeoutError as error:
            raise MailUnavailable("The mail server did not answer in time.") from error
        await _leave(client)

    async def send(
        self,
        *,
        to: str,
        subject: str,
        text: str,
        html: str | None = None,
        message_id: str | None = None,
        locale: str | None = None,
    ) -> None:
        """Hand over one message; `to` is one address, without a name. Returns once the server has taken it.

        Raises MailUnavailable, MailRefused, and ValueError for a subject of several lines or an address that is none.
        """
        message = self._written(to, subject, text, html, message_id, locale)
        try:
            async with asyncio.timeout(self._timeout):
                client = await self._greeted()
                await self._handed_over(client, message)
        except TimeoutError as error:
            raise MailUnavailable("The mail server did not answer in time.", headers=_SOON) from error
        await _leave(client)

    def _written(
        self, to: str, subject: str, text: str, html: str | None, message_id: str | None, locale: str | None
    ) -> EmailMessage:
        message = EmailMessage(policy=WIRE)
        message["From"] = self._sender
        message["To"] = _recipient(to)
        message["Subject"] = subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = message_id or make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to us
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
        if locale:  # last: setting a content takes headers that begin like this one along
            message["Content-Language"] = locale
        return message

    async def _greeted(self) -> aiosmtplib.SMTP:
        """A connection. Whatever goes wrong before a message is named says nothing about the message."""
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            timeout=self._timeout,
            # Else it asks the resolver for this host's own name, which in a pod may take seconds.
            local_hostname=self._sender.domain,
        )
        try:
            await client.connect()
        except (SMTPException, OSError) as error:
            client.close()
            raise MailUnavailable("The mail server cannot be reached.", headers=_SOON) from error
        except BaseException:
            client.close()
            raise
        return client

    async def _handed_over(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        try:
            await client.send_message(message)
        except BaseException as error:
            client.close()
            if isinstance(error, SMTPException | OSError) and not isinstance(error, TimeoutError):
                _raise_translated(error)
            raise


def mailbox(text: str) -> Address:
    """`Name <name@host>` as an address. Raises ValueError when it is none."""
    name, address = parseaddr(text)
    return Address(display_name=name, addr_spec=address)


def _recipient(to: str) -> Address:
    try:
        return Address(addr_spec=to)
    except IndexError as error:  # the parser's own, of an empty text
        raise ValueError("the address is empty") from error


def _raise_translated(error: SMTPException | OSError) -> NoReturn:
    answer = error.recipients[0] if isinstance(error, SMTPRecipientsRefused) else error
    if isinstance(answer, SMTPNotSupported):
        # The address is beyond ASCII and the server is not (RFC 6531, 3.5 tells senders to treat it as 5yz).
        raise MailRefused(553, "5.6.7") from None
    if isinstance(answer, SMTPResponseException) and 500 <= answer.code < 600:
        found = _ENHANCED.match(str(answer.message))
        # Not «from error»: its words quote the address, and may quote the text.
        raise MailRefused(answer.code, found[1] if found else "") from None
    raise MailUnavailable("The mail server did not take the message.", headers=_SOON) from None


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye. A message that was taken is taken, whatever becomes of the connection after it."""
    with suppress(SMTPException, OSError):
        await client.quit(timeout=GOODBYE_SECONDS)
    client.close()


_SOON: Final = {"Retry-After": "5"}
