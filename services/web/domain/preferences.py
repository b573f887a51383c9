"""What there is to choose of notifications, in the words of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from services.notifications.contract import Category, Channel, Preferences

Language = Literal["account", "en", "hi"]
LANGUAGES: Final[Mapping[Language, str]] = {
    "account": "The language I signed up with",
    "en": "English",
    "hi": "हिन्दी",
}
_WORDS: Final[Mapping[Category, tuple[str, str]]] = {
    "account": ("Account", "The welcome when you have joined."),
    "receipts": (
        "Receipts and refunds",
        "Invoices with their numbers when you have paid, and credit notes when money goes back.",
    ),
    "orders": ("Orders", "When an order was not paid in time, or was canceled."),
    "payments": (
        "Payments",
        "When a payment has arrived, and when an attempt to pay failed. The page on which you pay says it too.",
    ),
    "learning": ("Courses", "When a course opens for you, or closes."),
}
_CHANNELS: Final[Mapping[Channel, str]] = {"inbox": "Inbox", "email": "E-mail"}


@dataclass(frozen=True)
class Box:
    """One choice. `name` is what the form sends for it."""

    name: str
    label: str
    wanted: bool
    required: bool


@dataclass(frozen=True)
class Group:
    """The choices about one kind of news."""

    title: str
    about: str
    boxes: tuple[Box, ...]


def groups(preferences: Preferences) -> list[Group]:
    """By kind of news, the inbox first."""
    return [
        Group(
            title,
            about,
            tuple(
                Box(_name(category, channel), label, choice.wanted, choice.required)
                for channel, label in _CHANNELS.items()
                for choice in preferences.choices
                if (choice.category, choice.channel) == (category, channel)
            ),
        )
        for category, (title, about) in _WORDS.items()
    ]


def _name(category: Category, channel: Channel) -> str:
    return f"{category}.{channel}"


def changed(now: Preferences, ticked: Iterable[str]) -> list[tuple[Category, Channel, bool]]:
    """What a form with these boxes ticked changes: names that are none, and what cannot be chosen, change nothing."""
    names = set(ticked)
    return [
        (it.category, it.channel, wanted)
        for it in now.choices
        if not it.required and (wanted := _name(it.category, it.channel) in names) != it.wanted
    ]
