"""Notifications' side of the wire: one person's inbox, with the contract's own models."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import httpx

from services.notifications.contract import Notification, ReadAll, Unread
from services.web.tests.content_double import EPOCH
from services.web.tests.switchboard import Who, answer, problem
from suuupra.ids import new_id
from suuupra.pagination import Page


class NotificationsDouble:
    """`letters`, the latest first. Its stream tells the count once and ends."""

    def __init__(self, who: Who) -> None:
        self.who = who
        self.letters: list[Notification] = []

    def transport(self) -> httpx.MockTransport:
        """What the client is given instead of the network."""
        return httpx.MockTransport(self._answer)

    def deliver(self, title: str, link: str | None = None) -> Notification:
        """A new letter."""
        letter = Notification(
            id=new_id(), kind="order_paid", category="receipts", title=title, body="One.\n\nTwo.", link=link,
            created_at=EPOCH + timedelta(seconds=len(self.letters)), read_at=None,
        )  # fmt: skip
        self.letters.insert(0, letter)
        return letter

    @property
    def unread(self) -> int:
        """How many nobody has read."""
        return sum(letter.read_at is None for letter in self.letters)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if self.who(request) is None:
            return problem(401, "unauthenticated", "This needs a signed-in caller.")
        if path == "/v1/notifications/unread-count":
            return answer(Unread(unread=self.unread))
        if path == "/v1/notifications/stream":
            self.deliver("Meanwhile")
            return httpx.Response(200, text=f'event: unread\ndata: {{"unread": {self.unread}}}\n\n')
        if path == "/v1/notifications/read":
            last = ReadAll.model_validate_json(request.content).up_to
            self._read({letter.id for letter in self.letters if letter.id <= last})
            return answer(Unread(unread=self.unread))
        if found := re.fullmatch(r"/v1/notifications/([^/]+)/read", path):
            self._read({UUID(found[1])})
            return answer(Unread(unread=self.unread))
        return answer(Page[Notification](items=self.letters))

    def _read(self, ids: set[UUID]) -> None:
        self.letters = [
            letter.model_copy(update={"read_at": EPOCH}) if letter.id in ids else letter
            for letter in self.letters
        ]
