"""Jinja2 as every page uses it: escaped, strict about undefined names, knowing assets, icons and course art."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.templating import Jinja2Templates

from suuupra.ui.art import art
from suuupra.ui.assets import PREFIX, assets_of
from suuupra.ui.icons import icon

SHARED_TEMPLATES = Path(__file__).parent / "templates"
STATIC = "static"  # the folder inside a service's pages/ that `mount` serves
SITE_NAME = "Suuupra"


def templates(pages: Path | None = None, at: str = PREFIX) -> Jinja2Templates:
    """Templates of a service's ``pages`` folder in front of the shared ``ui/…`` ones; its files are served `at`."""
    return Jinja2Templates(env=environment(pages, at))


def environment(pages: Path | None = None, at: str = PREFIX) -> Environment:
    """The Jinja2 environment behind :func:`templates`."""
    folders = [pages, SHARED_TEMPLATES] if pages else [SHARED_TEMPLATES]
    env = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = (pages / STATIC,) if pages and (pages / STATIC).is_dir() else ()
    env.globals |= {"asset": assets_of(*own, at=at).url, "icon": icon, "art": art, "site_name": SITE_NAME}
    env.filters |= {"capital": capital, "day": day, "plural": plural}
    del env.filters["capitalize"]  # "Put it in inr": a page that asks for it is not made
    return env


def day(moment: datetime) -> Markup:
    """A UTC date as ``<time>``: 2026-11-23 becomes 23 November 2026."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} {}</time>').format(
        escape(utc.date().isoformat()), utc.day, f"{utc:%B %Y}"
    )


def capital(words: str) -> str:
    """As a sentence begins: the first letter large and the rest as it is, where `str.capitalize` makes ``INR`` small."""
    return words[:1].upper() + words[1:]


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 lesson``, ``2 lessons``, ``1,200 lessons``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
