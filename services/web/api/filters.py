"""How the pages write a course's address, a language, a duration, a size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from services.web.domain import course_url

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


FILTERS: Mapping[str, Callable[..., object]] = {
    "url": url,
    "language": language,
    "duration": duration,
    "size": size,
    "paragraphs": paragraphs,
    "host": host,
}
