"""Mail over a real SMTP conversation: what arrives, and what each failure is taken for."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from suuupra.clock import FakeClock
from suuupra.patience import Patience, is_away
from suuupra.settings import SettingsError, SmtpSettings, load
from suuupra.smtp import Mailer, MailRefused, MailUnavailable
from suuupra.testing.containers import free_port
from suuupra.testing.smtp import MailServer, text_of

LETTER = {"to": "asha@example.org", "subject": "Welcome", "text": "Hello Asha.\n"}


@pytest.fixture
def mailer(mail_server: MailServer, clock: FakeClock) -> Mailer:
    return mailer_to(mail_server.port, clock)


def mailer_to(port: int, clock: FakeClock, timeout: float = 5.0) -> Mailer:
    settings = SmtpSettings(smtp_host="127.0.0.1", smtp_port=port, smtp_timeout=timeout)
    return Mailer.of(settings, clock)


async def test_a_mail_arrives_with_both_texts_and_the_headers_that_were_asked_for(
    mailer: Mailer, mail_server: MailServer
) -> None:
    await mailer.send(
        to="asha@example.org",
        subject="आपकी रसीद",
        text="नमस्ते ₹499.00\n.\nlines that are a dot are kept\n" + "x" * 2000,
        html="<p>नमस्ते</p>",
        message_id="<order-1@suuupra.example>",
        locale="hi",
    )
    (arrived,) = mail_server.messages
    assert mail_server.recipients == ["asha@example.org"]
    assert arrived["To"] == "asha@example.org"
    assert arrived["From"] == "Suuupra <no-reply@suuupra.example>"
    assert arrived["Subject"] == "आपकी रसीद"
    assert arrived["Message-ID"] == "<order-1@suuupra.example>"
    assert arrived["Content-Language"] == "hi"
    assert arrived["Date"] == "Thu, 01 Jan 2026 00:00:00 +0000"
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert "नमस्ते ₹499.00\n.\nlines that are a dot" in text_of(arrived).replace("\r\n", "\n")
    assert "x" * 2000 in text_of(arrived)
    assert "<p>नमस्ते</p>" in text_of(arrived, "html")


async def test_a_mail_without_an_id_gets_one_of_its_own(mailer: Mailer, mail_server: MailServer) -> None:
    await mailer.send(**LETTER)
    await mailer.send(**LETTER)
    first, second = (message["Message-ID"] for message in mail_server.messages)
    assert first != second
    assert first.endswith("@suuupra.example>")


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: all@example.org", "a\nb"])
async def test_a_subject_cannot_bring_headers_of_its_own(
    mailer: Mailer, mail_server: MailServer, subject: str
) -> None:
    with pytest.raises(ValueError):
        await mailer.send(**{**LETTER, "subject": subject})
    assert not mail_server.messages


@pytest.mark.parametrize("to", ["asha", "a@b, c@d", "a@b\r\nRCPT TO:<x@y>", "Asha <asha@example.org>", ""])
async def test_only_one_bare_address_is_written_to(mailer: Mailer, mail_server: MailServer, to: str) -> None:
    with pytest.raises(ValueError):
        await mailer.send(**{**LETTER, "to": to})
    assert not mail_server.messages


async def unreachable(mail_server: MailServer) -> None:
    await mail_server.stop()


async def later(mail_server: MailServer) -> None:
    mail_server.data_answer = "451 4.3.0 later"


async def greylisted(mail_server: MailServer) -> None:
    mail_server.address_answer = "450 4.2.0 greylisted asha@example.org"


async def vanishing(mail_server: MailServer) -> None:
    mail_server.vanish = True


async def hanging(mail_server: MailServer) -> None:
    mail_server.hang = True


@pytest.mark.parametrize("trouble", [unreachable, later, greylisted, vanishing, hanging])
async def test_a_server_that_is_away_or_busy_is_waited_for_and_makes_no_dead_letter(
    mail_server: MailServer, clock: FakeClock, trouble: Callable[[MailServer], Any]
) -> None:
    await trouble(mail_server)
    with pytest.raises(MailUnavailable) as caught:
        await mailer_to(mail_server.port, clock, timeout=0.3).send(**LETTER)
    assert is_away(caught.value)
    patience = Patience(clock)
    assert all(patience.pause(caught.value) is not None for _ in range(50))
    assert "asha" not in str(caught.value)


@pytest.mark.parametrize("where", ["address_answer", "data_answer"])
async def test_a_refusal_for_good_is_no_outage_and_quotes_nothing(
    mailer: Mailer, mail_server: MailServer, where: str
) -> None:
    setattr(mail_server, where, "550 5.1.1 no such mailbox asha@example.org")
    with pytest.raises(MailRefused) as caught:
        await mailer.send(**LETTER)
    assert (caught.value.code, caught.value.reason) == (550, "5.1.1")
    assert not is_away(caught.value)
    assert "asha" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_server_that_hangs_up_after_taking_the_mail_has_taken_it(clock: FakeClock) -> None:
    """A failed goodbye must not read as a failed mail, or whoever asked would send it twice."""
    said, over = list[bytes](), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        for answer in (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            said.append(await reader.readline())
            writer.write(answer)
        said.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 taken\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        await mailer_to(server.sockets[0].getsockname()[1], clock).send(**LETTER)
        await over.wait()
    assert b"Hello Asha." in said[-1]


async def test_readiness_tells_whether_the_server_greets(
    mailer: Mailer, mail_server: MailServer, clock: FakeClock
) -> None:
    await mailer.check()
    assert not mail_server.messages
    with pytest.raises(MailUnavailable):
        await mailer_to(free_port(), clock).check()


@pytest.mark.parametrize("sender", ["nobody", "a@b\nBcc: c@d"])
def test_a_sender_that_is_no_mailbox_stops_the_start(sender: str) -> None:
    with pytest.raises(SettingsError, match="SUUUPRA_SMTP_SENDER"):
        load(SmtpSettings, smtp_host="x", smtp_sender=sender)
