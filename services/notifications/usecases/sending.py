"""One mail, from its claim to its end. No transaction is open while the mail server is spoken to.

Points at which a test can kill the process (suuupra.failpoints):

| point          | the process dies after                                                               |
| -------------- | ------------------------------------------------------------------------------------ |
| `mail.claimed` | it is committed that the mail is about to be sent; the server has heard nothing      |
| `mail.taken`   | the server has taken the mail; that is not noted. It is sent again, once, see domain |
"""

import random
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from typing import Final, Literal
from uuid import UUID

from prometheus_client import Counter

from services.notifications.domain import delivery
from services.notifications.domain.kinds import WhyNot, why_not
from services.notifications.domain.links import link_of
from services.notifications.store import mails, people
from services.notifications.store.mails import Claimed
from services.notifications.store.people import Person
from services.notifications.usecases.letters import CannotWrite, Letters, Told
from suuupra import failpoints, logs
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.smtp import Mailer, MailRefused, MailUnavailable

Outcome = Literal["sent", "refused", "unwanted", "off", "away", "fault", "expired"]

_log = logs.get_logger(__name__)
_outcomes: Final = Counter("suuupra_mail_attempts_total", "Attempts to send a mail.", ["kind", "outcome"])
_again: Final = Counter(
    "suuupra_mail_sent_again_total", "Mails sent again because a sender ended without knowing.", ["kind"]
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What sending needs."""

    database: Database
    mailer: Mailer
    letters: Letters
    clock: Clock
    sender: Address


async def send_next(desk: Desk) -> Outcome | None:
    """Send the mail that has been due longest; None when none is due. Raises DatabaseUnavailable.

    Several may call this at once, in one process or in many.
    """
    async with desk.database.transaction() as tx:
        mail = await mails.claim(tx, desk.clock.now())
    if mail is None:
        return None
    failpoints.hit("mail.claimed")
    outcome = await _send(desk, mail)
    _outcomes.labels(mail.kind, outcome).inc()
    return outcome


async def _send(desk: Desk, mail: Claimed) -> Outcome:
    async with desk.database.reading() as tx:
        person = await people.find(tx, mail.user_id)
        silent = why_not(mail.kind, "email", await people.choices(tx, mail.user_id))
        told = await _told(tx, mail, person)
    if silent is not None:
        return await _end(desk, mail, silent)
    try:
        letter = desk.letters.mail(told, person.locale)
    except CannotWrite:
        _log.exception("mail cannot be written", mail=str(mail.id), kind=mail.kind)
        return await _postpone(desk, mail, "fault")
    if mail.uncertain:
        _log.warning("mail is sent again: a sender ended without knowing", mail=str(mail.id), kind=mail.kind)
        _again.labels(mail.kind).inc()
    try:
        await desk.mailer.send(
            to=person.email or "",
            subject=letter.subject,
            text=letter.text,
            html=letter.html,
            message_id=delivery.message_id(mail.id, desk.sender.domain),
            locale=person.locale,
        )
    except MailUnavailable as error:
        _log.info("mail is postponed", mail=str(mail.id), attempts=mail.attempts, error=error.detail)
        return await _postpone(desk, mail, "away")
    except MailRefused as error:
        return await _refused(desk, mail, f"{error.code} {error.reason}".strip())
    except ValueError:  # without its text, which quotes the address
        return await _refused(desk, mail, "no address")
    failpoints.hit("mail.taken")
    return await _end(desk, mail, "sent")


async def _told(tx: Transaction, mail: Claimed, person: Person) -> Told:
    course_id = mail.data.get("course_id")
    course = (await people.courses(tx, [UUID(course_id)])).get(UUID(course_id)) if course_id else None
    link = link_of(mail.kind, mail.data, course.slug if course else None)
    return Told(mail.kind, mail.data, person.name, course.title if course else None, link)


async def _postpone(desk: Desk, mail: Claimed, why: Literal["away", "fault"]) -> Outcome:
    spread = random.random()  # noqa: S311 (so that many do not return in step)
    match delivery.after_outage(mail.created_at, mail.attempts, desk.clock.now(), spread):
        case delivery.Never(state):
            _log.error("mail is given up", mail=str(mail.id), kind=mail.kind, attempts=mail.attempts)
            await _note(desk, mail, state)
            return "expired"
        case delivery.Again(at):
            await _let_go(desk, mail, at)
            return why


async def _refused(desk: Desk, mail: Claimed, reason: str) -> Outcome:
    _log.warning("mail is refused", mail=str(mail.id), kind=mail.kind, answer=reason)
    await _note(desk, mail, "refused", reason)
    return "refused"


async def _end(desk: Desk, mail: Claimed, state: Literal["sent"] | WhyNot) -> Outcome:
    await _note(desk, mail, state)
    return state


async def _note(desk: Desk, mail: Claimed, state: delivery.State, refusal: str | None = None) -> None:
    async with desk.database.transaction() as tx:
        if not await mails.end(tx, mail, state, desk.clock.now(), refusal=refusal):
            _log.error("a mail's claim ended while it was being sent", mail=str(mail.id), kind=mail.kind)


async def _let_go(desk: Desk, mail: Claimed, at: datetime) -> None:
    async with desk.database.transaction() as tx:
        await mails.again(tx, mail, at)
