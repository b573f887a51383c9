"""From events to inboxes and mail: once each, whatever comes twice, late or before its address."""

import random
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from services.notifications.contract import ChoiceMade, PreferencesChange
from services.notifications.domain.delivery import KEEP_TRYING
from services.notifications.tests.conftest import Deliver, Settle
from services.notifications.tests.happenings import TITLE, Happening, Learner
from services.notifications.usecases import choosing
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.etags import Precondition
from suuupra.testing.smtp import MailServer, text_of

pytestmark = pytest.mark.integration

As = Callable[..., httpx.AsyncClient]


async def kinds(database: Database, table: str) -> list[str]:
    async with database.reading() as tx:
        return sorted((await tx.scalars(text(f"SELECT kind FROM {table}"))).all())


async def choose(database: Database, learner: Learner, *made: ChoiceMade, locale: str | None = None) -> None:
    change = PreferencesChange.model_validate({"choices": list(made), "locale": locale})
    async with database.transaction() as tx:
        await choosing.change(tx, learner.id, change, Precondition(None))


async def test_a_new_learner_is_welcomed_by_name_in_their_language(
    happen: Deliver, send_due: Settle, mail_server: MailServer
) -> None:
    learner = Learner(locale="hi-IN")
    await happen(learner.signed_up())
    assert await send_due() == 1
    (mail,) = mail_server.messages
    assert mail_server.recipients == [learner.email]
    assert mail["Content-Language"] == "hi"
    assert "Asha Rao" in text_of(mail)
    assert "स्वागत" in mail["Subject"]


async def test_a_receipt_has_the_invoice_its_lines_and_the_tax(
    happen: Deliver, send_due: Settle, mail_server: MailServer
) -> None:
    learner = Learner()
    await happen(learner.signed_up(), learner.paid())
    await send_due()
    (receipt,) = [it for it in mail_server.messages if "Receipt" in it["Subject"]]
    for part in (text_of(receipt), text_of(receipt, "html")):
        for word in ("INV/25-26/000007", learner.number, TITLE, "₹449.10", "GST", "18 %", "₹68.51"):
            assert word in part


@pytest.mark.parametrize("seed", range(8))
async def test_duplicates_in_any_order_are_told_once_and_mailed_once(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database, seed: int
) -> None:
    """Here even the kit's inbox does not help: the same facts come under new event ids."""
    learner = Learner()
    happenings = learner.everything() * 2
    happenings += [Happening(it.event, it.aggregate, it.sequence) for it in learner.everything()]
    random.Random(seed).shuffle(happenings)
    for part in (happenings[:9], happenings[9:]):
        await happen(*part)
        await send_due()
    assert await kinds(database, "notification") == sorted(set(await kinds(database, "notification")))
    assert len(await kinds(database, "notification")) == 9
    subjects = [it["Subject"] for it in mail_server.messages]
    assert len(subjects) == len(set(subjects)) == 5, subjects
    assert len({it["Message-ID"] for it in mail_server.messages}) == 5


async def test_money_for_an_order_that_was_canceled_is_told_in_the_inbox_with_the_banks_number(
    happen: Deliver, send_due: Settle, mail_server: MailServer, client_as: As
) -> None:
    """M21 as the learner hears it: what came, and that it goes back."""
    learner = Learner()
    await happen(learner.signed_up(), learner.canceled(), learner.payment_succeeded())
    await send_due()
    items = (await client_as("learner", str(learner.id)).get("/v1/notifications")).json()["items"]
    lines = {line["kind"]: line for line in items}
    arrived, canceled = lines["payment_succeeded"], lines["order_canceled"]
    assert arrived["title"] == "Your payment of ₹449.10 arrived"
    assert "633412000001" in arrived["body"]
    assert canceled["title"] == f"Order {learner.number} is canceled"
    assert "comes back by itself" in canceled["body"]
    assert arrived["link"] == canceled["link"] == f"/orders/{learner.order_id}"
    assert sorted(it["Subject"].split()[0] for it in mail_server.messages) == ["Order", "Welcome"]


async def test_what_comes_before_the_address_waits_for_it(
    happen: Deliver, send_due: Settle, mail_server: MailServer
) -> None:
    learner = Learner()
    await happen(learner.paid())
    assert await send_due() == 0
    await happen(learner.signed_up())
    await send_due()
    assert sorted(it["Subject"][:7] for it in mail_server.messages) == ["Receipt", "Welcome"]


async def test_an_address_that_never_comes_is_given_up(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database, clock: FakeClock
) -> None:
    learner = Learner()
    await happen(learner.paid())
    clock.advance(KEEP_TRYING + timedelta(seconds=1))
    await send_due()
    await happen(learner.signed_up())
    await send_due()
    assert [it["Subject"] for it in mail_server.messages] == ["Welcome to Suuupra"]
    async with database.reading() as tx:
        states = (await tx.scalars(text("SELECT state FROM mail ORDER BY state"))).all()
    assert list(states) == ["expired", "sent"]


async def test_a_course_is_called_by_its_latest_title_however_late_it_was_learned(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database
) -> None:
    learner = Learner()
    await choose(database, learner, ChoiceMade(category="learning", channel="email", wanted=True))
    newest = learner.course_published("Python, newly told", revision=2)
    await happen(learner.signed_up(), learner.granted(), newest, learner.course_published())
    await send_due()
    assert "Python, newly told is open" in [it["Subject"] for it in mail_server.messages]


async def test_what_is_not_wanted_is_neither_told_nor_mailed_but_a_receipt_is(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database
) -> None:
    learner = Learner()
    off = [
        ChoiceMade(category=category, channel=channel, wanted=False)
        for category in ("account", "orders", "payments", "learning")
        for channel in ("email", "inbox")
    ]
    await choose(database, learner, *off, ChoiceMade(category="receipts", channel="inbox", wanted=False))
    await happen(*learner.everything())
    await send_due()
    assert await kinds(database, "notification") == []
    assert sorted(it["Subject"].split()[0] for it in mail_server.messages) == ["Receipt", "Refund"]


async def test_a_choice_made_before_the_mail_leaves_still_counts(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database
) -> None:
    learner = Learner()
    await happen(learner.signed_up())
    await choose(database, learner, ChoiceMade(category="account", channel="email", wanted=False))
    assert await send_due() == 1
    assert mail_server.messages == []


async def test_a_chosen_language_goes_before_the_accounts(
    happen: Deliver, send_due: Settle, mail_server: MailServer, database: Database
) -> None:
    learner = Learner(locale="en-IN")
    await choose(database, learner, locale="hi")
    await happen(learner.signed_up())
    await send_due()
    assert mail_server.messages[0]["Content-Language"] == "hi"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("requested", "nothing of it stays open"),
        ("order_expired", "after the order had expired"),
        ("order_canceled", "after the order was cancelled"),
        ("already_paid", "one too many"),
    ],
)
async def test_a_refund_says_why(
    happen: Deliver, send_due: Settle, mail_server: MailServer, reason: str, words: str
) -> None:
    learner = Learner()
    await happen(learner.signed_up(), learner.refunded(reason))
    await send_due()
    (refund,) = [it for it in mail_server.messages if "Refund" in it["Subject"]]
    assert words in text_of(refund).replace("\n", " ")
