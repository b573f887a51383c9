"""Events become lines of inboxes and mail on its way, in the transaction that takes note of the event."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.content.contract import CoursePublished
from services.identity.contract import UserCreated
from services.notifications.domain import facts
from services.notifications.domain.facts import Fact
from services.notifications.domain.kinds import why_not
from services.notifications.store import inbox, mails, people
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.events import Meta

Told = Sequence[tuple[Any, Meta]]


async def tell(tx: Transaction, clock: Clock, events: Told) -> None:
    """Tell people what happened to them. By user, so that two batches lock people in one order."""
    for fact in sorted((facts.of(*it) for it in events), key=lambda it: (it.user_id, it.kind, it.cause)):
        await _tell(tx, fact, clock.now())


async def meet(tx: Transaction, clock: Clock, events: Sequence[tuple[UserCreated, Meta]]) -> None:
    """Learn people's addresses, welcome them, and let go what waited for an address."""
    for event, meta in sorted(events, key=lambda it: it[0].user_id):
        await people.learn(tx, event.user_id, event.email, event.name, event.locale)
        await mails.address_known(tx, event.user_id, clock.now())
        await _tell(tx, facts.of(event, meta), clock.now())


async def name_courses(tx: Transaction, events: Sequence[tuple[CoursePublished, Meta]]) -> None:
    """Learn what courses are called."""
    for event, _ in sorted(events, key=lambda it: (it[0].course_id, it[0].revision)):
        await people.name_course(tx, event.course_id, event.title, event.slug, event.revision)


async def _tell(tx: Transaction, fact: Fact, now: datetime) -> None:
    """A line in the inbox, if it is wanted there; and a mail, of which it is asked when it is sent."""
    data = json.dumps(fact.data, ensure_ascii=False)
    if why_not(fact.kind, "inbox", await people.choices(tx, fact.user_id)) is None:
        await inbox.add(tx, fact, data, now)
    await mails.add(tx, fact, data, now)
