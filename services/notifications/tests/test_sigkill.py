"""SIGKILL of the real work process at its two points: what is lost (nothing), and what is mailed twice, and when."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from services.notifications.app import create_app
from services.notifications.domain.delivery import CLAIM
from services.notifications.settings import Settings
from services.notifications.tests.conftest import Deliver, Settle, at_desk
from services.notifications.tests.happenings import Learner
from services.notifications.workers import Postman
from suuupra import failpoints
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing import forking
from suuupra.testing.containers import free_port
from suuupra.testing.issuer import Issuer
from suuupra.testing.services import calling
from suuupra.testing.smtp import MailServer

pytestmark = pytest.mark.integration
SINK = Path(__file__).parents[3] / "images" / "mail-sink" / "mail_sink.py"


@pytest.fixture
def clock() -> FakeClock:
    """At the time of the process that is killed: what it claims by the machine's clock must end by this one."""

    return FakeClock(datetime.now(UTC))


@contextmanager
def working(settings: Settings, issuer: Issuer, failpoint: str) -> Iterator[forking.Process]:
    """`python -m suuupra work notifications`, killed at the end if it still lives."""
    environment = {
        **os.environ,
        "SUUUPRA_SERVICE": "notifications",
        "SUUUPRA_DATABASE_URL": settings.database_url.get_secret_value(),
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_SMTP_HOST": settings.smtp_host,
        "SUUUPRA_SMTP_PORT": str(settings.smtp_port),
        "SUUUPRA_ISSUER": issuer.issuer,
        "SUUUPRA_AUDIENCE": issuer.audience,
        "SUUUPRA_JWKS": json.dumps(issuer.jwks()),
        "SUUUPRA_OPS_HOST": "127.0.0.1",
        "SUUUPRA_OPS_PORT": str(free_port()),
        failpoints.VARIABLE: failpoint,
    }
    with forking.start("suuupra", "work", "notifications", environment=environment) as process:
        try:
            yield process
        finally:
            process.kill()


async def states(database: Database) -> list[tuple[str, int]]:
    async with database.reading() as tx:
        rows = await tx.execute(text("SELECT state, uncertain FROM mail"))
        return [(row[0], row[1]) for row in rows]


async def killed_itself(process: forking.Process) -> bool:
    return await asyncio.to_thread(process.wait, 90) == -signal.SIGKILL


async def test_killed_before_the_server_heard_of_it_the_mail_is_sent_once(
    happen: Deliver,
    send_due: Settle,
    settings: Settings,
    issuer: Issuer,
    mail_server: MailServer,
    database: Database,
    clock: FakeClock,
) -> None:
    await happen(Learner().signed_up())
    with working(settings, issuer, "mail.claimed") as process:
        assert await killed_itself(process)
    assert mail_server.messages == []
    assert await states(database) == [("sending", 0)]
    assert await send_due() == 0, "the claim has not ended"
    clock.advance(CLAIM * 2)
    assert await send_due() == 1
    assert len(mail_server.messages) == 1
    assert await states(database) == [("sent", 1)]


async def test_killed_between_send_and_mark_the_mail_comes_once_more_under_the_same_message_id(
    happen: Deliver,
    send_due: Settle,
    settings: Settings,
    issuer: Issuer,
    mail_server: MailServer,
    database: Database,
    clock: FakeClock,
) -> None:
    """The one way in which a mail is sent twice; mailboxes that look at the Message-ID show it once."""
    await happen(Learner().signed_up())
    with working(settings, issuer, "mail.taken") as process:
        assert await killed_itself(process)
    assert len(mail_server.messages) == 1
    assert await states(database) == [("sending", 0)]
    clock.advance(CLAIM * 2)
    assert await send_due() == 1
    first, second = mail_server.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert await states(database) == [("sent", 1)]
    clock.advance(CLAIM * 2)
    assert await send_due() == 0


@dataclass(frozen=True, slots=True)
class Sink:
    """The mail server of a developer's machine, as its image starts it."""

    smtp_port: int
    url: str


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    smtp, http = free_port(), free_port()
    environment = {
        **os.environ,
        "MAIL_FOLDER": str(tmp_path),
        "MAIL_HOST": "127.0.0.1",
        "MAIL_SMTP_PORT": str(smtp),
        "MAIL_HTTP_PORT": str(http),
    }
    started = subprocess.Popen(
        [sys.executable, str(SINK)], env=environment, stdout=subprocess.PIPE, text=True
    )
    with started as process:
        assert process.stdout is not None
        assert '"listening"' in process.stdout.readline()
        yield Sink(smtp, f"http://127.0.0.1:{http}")
        process.terminate()


async def test_killed_between_send_and_mark_one_letter_is_in_the_mailbox(
    happen: Deliver, settings: Settings, issuer: Issuer, sink: Sink, clock: FakeClock
) -> None:
    """Sent twice to the platform's own mail server, and read where a developer reads it."""
    mailing = settings.model_copy(update={"smtp_port": sink.smtp_port, "mail_sink_url": sink.url})
    await happen(Learner().signed_up())
    with working(mailing, issuer, "mail.taken") as process:
        assert await killed_itself(process)
    clock.advance(CLAIM * 2)
    async with at_desk(mailing, clock) as desk:
        assert await Postman(desk).send_due() == 1
    pages = create_app(mailing)
    async with pages.router.lifespan_context(pages), calling(pages, accept="text/html") as browser:
        page = (await browser.get("/mail")).text
    assert page.count('<li><a href="/mail/') == 1
    assert "2 copies" in page
