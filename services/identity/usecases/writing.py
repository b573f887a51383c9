"""Letters: asked for in the transaction that needs them, sent by the worker.

A letter's token is made when it is sent and kept as a hash, so it is written out in the letter and nowhere else. A
letter that is tried twice has two tokens, and both work: it may be the first try that arrived.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from services.identity.domain import letters
from services.identity.domain.clients import secret_hash
from services.identity.domain.letters import LIFE, MOST_AN_HOUR, UNLIMITED, Kind
from services.identity.store import signups
from suuupra import logs, schedule
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.schedule import Payload
from suuupra.smtp import MailRefused

SCHEDULE: Final = "letter"
_PAGES: Final = {
    Kind.CONFIRM: "/account/verify",
    Kind.RECOVER: "/account/recover/new",
    Kind.KNOWN: "/account/recover",
    Kind.CHANGED: "/account/recover",
}

_log = logs.get_logger(__name__)


class Post(Protocol):
    """The part of suuupra.smtp.Mailer that is used."""

    async def send(
        self,
        *,
        to: str,
        subject: str,
        text: str,
        html: str | None = None,
        message_id: str | None = None,
        locale: str | None = None,
    ) -> None: ...


async def ask(
    tx: Transaction,
    kind: Kind,
    now: datetime,
    *,
    email: str,
    name: str,
    signup_id: UUID | None = None,
    account_id: UUID | None = None,
) -> None:
    """Have a letter sent, unless the address gets too many of its kind already."""
    since = now - timedelta(hours=1)
    if kind not in UNLIMITED and await signups.letters_since(tx, kind, email, since) >= MOST_AN_HOUR:
        _log.warning("letter left out: its address gets too many", kind=kind)
        return
    letter_id = await signups.add_letter(
        tx,
        kind,
        email=email,
        name=name,
        locale="en",
        now=now,
        signup_id=signup_id,
        account_id=account_id,
    )
    await schedule.put(tx, SCHEDULE, letter_id, now)


class Writer:
    """Sends what is due: a handler of suuupra.schedule."""

    def __init__(self, post: Post, site: str, clock: Clock) -> None:
        self._post = post
        self._site = site
        self._clock = clock

    async def send(self, tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        """Send one letter. Raises MailUnavailable, after which it is tried again."""
        row = await signups.letter(tx, UUID(key))
        now = self._clock.now()
        if row is None or row.sent_at is not None or now - row.created_at > letters.LATEST:
            return
        kind = Kind(row.kind)
        if kind is Kind.NOBODY:
            return
        link = self._site + _PAGES[kind]
        if kind in LIFE:
            token = secrets.token_urlsafe(32)
            await signups.add_link(tx, row.id, secret_hash(token), now + LIFE[kind])
            link += f"?token={token}"
        letter = letters.write(kind, name=row.name, site=self._site, link=link)
        row.sent_at = now
        try:
            await self._post.send(to=row.email, subject=letter.subject, text=letter.text, locale="en")
        except MailRefused as error:
            # No try will be taken; whoever wrote a wrong address sees no letter and signs up again.
            _log.warning("letter refused by the mail server", kind=kind, code=error.code)
