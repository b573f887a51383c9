"""Which language a person is written to, and how amounts and times read in it."""

from datetime import datetime
from typing import Final, get_args
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_currency

from services.notifications.contract import Locale
from suuupra.money import Money

LOCALES: Final[tuple[Locale, ...]] = get_args(Locale)
FALLBACK: Final[Locale] = "en"
_REGIONAL: Final[dict[Locale, str]] = {"en": "en_IN", "hi": "hi_IN"}
"""Lakhs and crores: 1,00,000.00."""


def choose(*wanted: str | None) -> Locale:
    """The first of the BCP 47 tags whose language letters are written in: `hi-IN` → `hi`; else English."""
    languages = (tag.replace("_", "-").partition("-")[0].lower() for tag in wanted if tag)
    return next((it for language in languages for it in LOCALES if it == language), FALLBACK)


def amount(minor: int, currency: str, locale: Locale) -> str:
    """Minor units as a person writes them: 49900 INR → ₹499.00."""
    return format_currency(Money(minor, currency).decimal(), currency, locale=_REGIONAL[locale])


def moment(at: datetime, zone: ZoneInfo, locale: Locale) -> str:
    """A time as a person writes it, with the name of its zone."""
    local = at.astimezone(zone)
    day = format_date(local, "d MMMM y", locale=_REGIONAL[locale])
    return f"{day}, {format_time(local, 'HH:mm', locale=_REGIONAL[locale])} {local.tzname()}"


def percent(permille: int) -> str:
    """A tax rate: 180 → 18 %, 125 → 12.5 %."""
    whole, tenth = divmod(permille, 10)
    return f"{whole}.{tenth} %" if tenth else f"{whole} %"
