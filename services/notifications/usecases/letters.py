"""Letters and inbox lines, from the templates in pages/letters: one folder per language, four files per kind.

`KIND.subject.txt`, `KIND.txt`, `KIND.html` make a mail; `KIND.inbox.txt` has a title in its first line and a text in the
others. Only what ends in .html escapes for HTML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from services.notifications.contract import Kind, Locale
from services.notifications.domain import locales

FOLDER: Final = Path(__file__).parent.parent / "pages" / "letters"
_SPACES: Final = re.compile(r"\s+")
_GAPS: Final = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail without its envelope."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a letter is about. `course` is the title of the course that it names, when that is known."""

    kind: Kind
    data: Mapping[str, Any]
    name: str | None
    course: str | None
    link: str | None
    """A path on the public site."""


class CannotWrite(Exception):
    """A letter's template and its facts do not fit: a fault of ours."""


class Letters:
    """Writes letters. Times are told in `zone`; links lead to `site`."""

    def __init__(self, site: str, zone: ZoneInfo) -> None:
        self._site = site
        self._zone = zone
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def mail(self, told: Told, locale: Locale) -> Letter:
        """The mail in that language. Raises CannotWrite."""
        words = self._words(told, locale)
        # One line, whatever a title holds: a subject is a header.
        subject = _SPACES.sub(" ", self._render(told.kind, "subject.txt", locale, words)).strip()
        words["subject"] = subject
        text = _GAPS.sub("\n\n", self._render(told.kind, "txt", locale, words))
        return Letter(subject, text, self._render(told.kind, "html", locale, words))

    def line(self, told: Told, locale: Locale) -> tuple[str, str]:
        """Title and text of the inbox's line in that language."""
        written = self._render(told.kind, "inbox.txt", locale, self._words(told, locale))
        title, _, body = written.strip().partition("\n")
        return title.strip(), body.strip()

    def _render(self, kind: Kind, part: str, locale: Locale, words: Mapping[str, Any]) -> str:
        try:
            return self._templates.get_template(f"{locale}/{kind}.{part}").render(words)
        except (TemplateError, LookupError, TypeError, ValueError) as error:
            raise CannotWrite(f"{locale}/{kind}.{part}") from error

    def _words(self, told: Told, locale: Locale) -> dict[str, Any]:
        currency = told.data.get("currency", "")
        return {
            "data": told.data,
            "name": told.name,
            "course": told.course,
            "link": f"{self._site}{told.link}" if told.link else None,
            "site": self._site,
            "locale": locale,
            "tax": "GST" if currency == "INR" else {"en": "tax", "hi": "कर"}[locale],
            "amount": lambda minor: locales.amount(minor, currency, locale),
            "moment": partial(self._moment, locale),
            "percent": locales.percent,
        }

    def _moment(self, locale: Locale, at: str) -> str:
        return locales.moment(datetime.fromisoformat(at), self._zone, locale)
