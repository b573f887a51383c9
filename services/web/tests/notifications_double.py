"""Notifications' side of the wire: one person's inbox, with the contract's own models."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final, get_args
from uuid import UUID

import httpx

from services.notifications.contract import (
    Category,
    Channel,
    Choice,
    Locale,
    Notification,
    Preferences,
    PreferencesChange,
    ReadAll,
    Unread,
)
from services.web.tests.content_double import EPOCH
from services.web.tests.switchboard import Who, answer, problem
from suuupra.ids import new_id
from suuupra.pagination import Page

OWED: Final[tuple[Category, Channel]] = ("receipts", "email")


class NotificationsDouble:
    """`letters`, the latest first. Its stream tells the count once and ends."""

    def __init__(self, who: Who) -> None:
        self.who = who
        self.letters: list[Notification] = []
        self.version = 1
        self.locale: Locale | None = None
        self.wanted = {
            (category, channel): True for category in get_args(Category) for channel in get_args(Channel)
        }

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
        if path == "/v1/notification-preferences":
            return self._preferences(request)
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

    def _preferences(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            if request.headers["If-Match"] != f'"{self.version}"':
                return problem(412, "precondition-failed", "It was changed since you read it.")
            change = PreferencesChange.model_validate_json(request.content)
            if any((it.category, it.channel) == OWED and not it.wanted for it in change.choices):
                return problem(422, "invalid", "must be true", "body.choices[0].wanted")
            self.wanted |= {(it.category, it.channel): it.wanted for it in change.choices}
            if change.locale is not None:
                self.locale = None if change.locale == "account" else change.locale
            self.version += 1
        choices = [
            Choice(category=key[0], channel=key[1], wanted=wanted, required=key == OWED)
            for key, wanted in self.wanted.items()
        ]
        shown = answer(Preferences(locale=self.locale, choices=choices))
        shown.headers["ETag"] = f'"{self.version}"'
        return shown

    def _read(self, ids: set[UUID]) -> None:
        self.letters = [
            letter.model_copy(update={"read_at": EPOCH}) if letter.id in ids else letter
            for letter in self.letters
        ]
