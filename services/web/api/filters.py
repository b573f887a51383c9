"""How the pages write a course's address, a language, a duration, a size, money and time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import segno
from jinja2 import pass_context
from markupsafe import Markup, escape

from services.web.domain.reading import course_url
from suuupra.money import Money
from suuupra.writing import money

# Endonyms, so that a reader finds their own language; ISO 639 codes, the primary subtag of BCP 47.
LANGUAGES: Mapping[str, str] = {
    "ar": "العربية",
    "bn": "বাংলা",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "gu": "ગુજરાતી",
    "hi": "हिन्दी",
    "ja": "日本語",
    "kn": "ಕನ್ನಡ",
    "ml": "മലയാളം",
    "mr": "मराठी",
    "pa": "ਪੰਜਾਬੀ",
    "pt": "Português",
    "ta": "தமிழ்",
    "te": "తెలుగు",
    "ur": "اردو",
    "zh": "中文",
}
KIBI = 1024
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))")
"""A point in time as APIs write it (RFC 3339)."""


class HasSlug(Protocol):
    """A course in any of its shapes."""

    @property
    def slug(self) -> str: ...


def url(course: HasSlug) -> str:
    """The course's page."""
    return course_url(course.slug)


def language(tag: str) -> str:
    """A language's own name for a BCP 47 tag; the tag itself where we have none."""
    return LANGUAGES.get(tag.split("-")[0].lower(), tag)


def size(count: int) -> str:
    """Bytes for people: ``1,023 bytes``, ``1.0 KiB``, ``3.4 MiB``."""
    amount, units = float(count), ("KiB", "MiB", "GiB", "TiB")
    if count < KIBI:
        return f"{count:,} bytes"
    for unit in units:
        amount /= KIBI
        if amount < KIBI or unit == units[-1]:
            break
    return f"{amount:,.1f} {unit}"


def paragraphs(text: str) -> list[str]:
    """Plain text parted at its blank lines."""
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def host(address: str) -> str:
    """The name of a web address's host."""
    return urlsplit(address).hostname or address


def duration(minutes: int) -> str:
    """Whole minutes for people: ``45 min``, ``2 h``, ``2 h 15 min``; never less than a minute."""
    hours, rest = divmod(max(minutes, 1), 60)
    return " ".join(part for part in (f"{hours:,} h" if hours else "", f"{rest} min" if rest else "") if part)


def minor(units: int, currency: str) -> str:
    """As `money`, of minor units."""
    return money(Money(units, currency))


def rate(permille: int) -> str:
    """A rate for people: 180 is ``18%``, 125 is ``12.5%``."""
    whole, rest = divmod(permille, 10)
    return f"{whole}.{rest}%" if rest else f"{whole}%"


@pass_context
def moment(shown: Mapping[str, object], at: datetime) -> Markup:
    """A time as ``<time>``, in the `zone` of the page: 23 November 2026, 14:30 IST."""
    zone = shown.get("zone")
    local = at.astimezone(zone if isinstance(zone, tzinfo) else UTC)
    return Markup('<time datetime="{}">{} {}, {}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), local.day, f"{local:%B %Y}", f"{local:%H:%M %Z}"
    )


@pass_context
def told(shown: Mapping[str, object], words: str) -> Markup:
    """What another service says, with its points in time as `moment` writes them."""
    parts = INSTANT.split(words)  # words, instant, words, …
    return Markup().join(_written(shown, part) if at % 2 else part for at, part in enumerate(parts))


def _written(shown: Mapping[str, object], text: str) -> Markup:
    try:
        return moment(shown, datetime.fromisoformat(text))
    except ValueError:  # no such day
        return escape(text)


def lasted(time: timedelta) -> str:
    """A short duration: ``0 ms``, ``12 ms``, ``1.234 s``, ``2 min 5 s``, ``3 h 2 min``, ``2 d 1 h``."""
    ms = round(time / timedelta(milliseconds=1))
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms // 1000}.{ms % 1000:03} s"
    seconds = ms // 1000
    for size, name, small, part in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size} {name}" + (f" {rest} {part}" if rest else "")
    raise AssertionError("a minute or more is one of these")


def instant(at: datetime) -> Markup:
    """A time to the millisecond as ``<time>``: 09:00:00.123, UTC."""
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}.{:03}</time>').format(
        utc.isoformat(timespec="milliseconds"), f"{utc:%H:%M:%S}", utc.microsecond // 1000
    )


def query(values: Mapping[str, str]) -> str:
    """The part of an address behind its question mark."""
    return urlencode(values)


def clock(seconds: int) -> str:
    """Time left: ``4:59``."""
    return f"{seconds // 60}:{seconds % 60:02}"


def qr(link: str) -> str:
    """A QR code of the link, as the address of a picture: nothing in a picture can run."""
    return segno.make(link, error="m", micro=False).svg_data_uri(scale=6, border=4, dark="#000", light="#fff")


FILTERS: Mapping[str, Callable[..., object]] = {
    "url": url,
    "language": language,
    "duration": duration,
    "size": size,
    "paragraphs": paragraphs,
    "host": host,
    "money": money,
    "minor": minor,
    "rate": rate,
    "moment": moment,
    "told": told,
    "lasted": lasted,
    "instant": instant,
    "query": query,
    "clock": clock,
    "qr": qr,
}
