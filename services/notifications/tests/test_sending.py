"""Mail leaves once, whatever the mail server does, and however many senders there are."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from services.notifications.domain.delivery import CLAIM, KEEP_TRYING
from services.notifications.store import mails
from services.notifications.tests.conftest import Deliver, Settle
from services.notifications.tests.happenings import Learner
from services.notifications.usecases.sending import Desk, send_next
from services.notifications.workers import Postman
from suuupra.clock import FakeClock
from suuupra.db import Database, DatabaseUnavailable
from suuupra.testing.smtp import MailServer
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration


async def the_mail(database: Database) -> dict[str, Any]:
    async with database.reading() as tx:
        row = (await tx.execute(text("SELECT state, attempts, uncertain, refusal, sent_at FROM mail"))).one()
    return dict(row._mapping)


async def test_a_mail_is_sent_once_and_marked(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database
) -> None:
    await happen(Learner().signed_up())
    assert [await send_due() for _ in range(3)] == [1, 0, 0]
    assert len(mail_server.messages) == 1
    mail = await the_mail(database)
    assert (mail["state"], mail["attempts"], mail["uncertain"]) == ("sent", 1, 0)


async def test_many_senders_share_the_mail_and_double_none(
    happen: Deliver, desk: Desk, mail_server: MailServer
) -> None:
    learners = [Learner() for _ in range(30)]
    await happen(*(it.signed_up() for it in learners))

    async def work() -> None:
        """As the worker does: an outage of PostgreSQL is waited out."""
        with suppress(DatabaseUnavailable):
            await Postman(desk).send_due()

    async def sent() -> bool:
        await asyncio.gather(*(work() for _ in range(2)))
        return len(mail_server.recipients) >= len(learners)

    await until(sent)
    assert sorted(mail_server.recipients) == sorted(it.email for it in learners)


@pytest.mark.parametrize("trouble", ["away", "later", "greylisted"])
async def test_an_outage_of_the_mail_server_only_delays(
    happen: Deliver,
    send_due: Settle,
    mail_server: MailServer,
    database: Database,
    clock: FakeClock,
    trouble: str,
) -> None:
    match trouble:
        case "away":
            await mail_server.stop()
        case "later":
            mail_server.data_answer = "451 4.3.0 later"
        case _:
            mail_server.address_answer = "450 4.2.0 greylisted"
    await happen(Learner().signed_up())
    for _ in range(5):
        assert await send_due() == 1
        assert await send_due() == 0, "not at once again"
        clock.advance(timedelta(minutes=5))
    mail_server.data_answer = mail_server.address_answer = None
    if trouble == "away":
        await mail_server.start()
    await send_due()
    assert len(mail_server.messages) == 1
    mail = await the_mail(database)
    assert (mail["state"], mail["attempts"], mail["uncertain"]) == ("sent", 6, 0)


async def test_an_outage_of_days_ends_the_attempts(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database, clock: FakeClock
) -> None:
    await mail_server.stop()
    await happen(Learner().signed_up())
    await send_due()
    clock.advance(KEEP_TRYING)
    await send_due()
    assert (await the_mail(database))["state"] == "expired"


async def test_a_refusal_is_final_and_says_the_servers_code_only(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database, clock: FakeClock
) -> None:
    mail_server.address_answer = "550 5.1.1 no such mailbox asha"
    await happen(Learner().signed_up())
    await send_due()
    clock.advance(KEEP_TRYING)
    assert await send_due() == 0
    mail = await the_mail(database)
    assert (mail["state"], mail["refusal"]) == ("refused", "550 5.1.1")


async def test_one_address_that_is_none_holds_up_nobody(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database
) -> None:
    broken, whole = Learner(), Learner()
    await happen(broken.signed_up(), whole.signed_up())
    async with database.transaction() as tx:
        values = {"id": broken.id, "email": "a@b, c@d"}
        await tx.execute(text("UPDATE person SET email = :email WHERE user_id = :id"), values)
    await send_due()
    assert mail_server.recipients == [whole.email]


async def test_a_letter_that_cannot_be_written_holds_up_nobody_and_waits_for_a_mended_template(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database, clock: FakeClock
) -> None:
    one, other = Learner(), Learner()
    await happen(one.signed_up(), other.signed_up(), one.paid())
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE mail SET data = data - 'lines' WHERE kind = 'order_paid'"))
    with capture_logs():
        await send_due()
    assert sorted(mail_server.recipients) == sorted([one.email, other.email])
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE mail SET data = data || '{\"lines\": []}' WHERE kind = 'order_paid'"))
    clock.advance(timedelta(minutes=5))
    await send_due()
    assert len(mail_server.messages) == 3


async def test_an_answer_that_is_lost_means_once_more_under_the_same_message_id(
    happen: Deliver, send_due: Settle, mail_server: MailServer, clock: FakeClock
) -> None:
    """At least once, said plainly: the server has taken it, and nobody can know."""
    mail_server.vanish = True
    await happen(Learner().signed_up())
    await send_due()
    mail_server.vanish = False
    clock.advance(timedelta(minutes=5))
    await send_due()
    first, second = mail_server.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_body().get_content() == second.get_body().get_content()  # type: ignore[union-attr]


async def test_a_claim_is_its_senders_alone_until_it_ends(
    happen: Deliver, desk: Desk, mail_server: MailServer, database: Database, clock: FakeClock
) -> None:
    await happen(Learner().signed_up())
    async with database.transaction() as tx:
        lost = await mails.claim(tx, clock.now())
    assert lost is not None
    assert await send_next(desk) is None
    clock.advance(CLAIM)
    assert await send_next(desk) == "sent"
    assert (await the_mail(database))["uncertain"] == 1
    async with database.transaction() as tx:
        assert not await mails.end(tx, lost, "refused", clock.now()), (
            "a sender that woke up late changes nothing"
        )
    assert (await the_mail(database))["state"] == "sent"


async def test_no_address_name_or_word_of_a_letter_reaches_the_log(
    happen: Deliver, send_due: Settle, mail_server: MailServer, clock: FakeClock
) -> None:
    learner = Learner()
    with capture_logs() as logs:
        await happen(learner.signed_up(), learner.paid())
        mail_server.data_answer = f"451 later {learner.email}"
        await send_due()
        clock.advance(timedelta(minutes=5))
        mail_server.data_answer = f"550 5.7.1 no, {learner.email}: Asha"
        await send_due()
    assert logs
    said = repr(logs)
    for secret in (learner.email, "Asha", "INV/25-26", "₹", learner.number):
        assert secret not in said


async def test_a_commit_wakes_the_postman(
    happen: Deliver, desk: Desk, mail_server: MailServer, clock: FakeClock
) -> None:
    """The clock stands still: nothing but the commit's NOTIFY can wake it."""
    postman = Postman(desk)
    running = asyncio.create_task(postman.run())

    async def is_listening() -> bool:
        return postman.health() is None

    await until(is_listening)
    await clock.until_sleeping()
    await happen(Learner().signed_up())
    await mail_server.received(1)
    await postman.stop()
    await running
