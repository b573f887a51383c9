"""What commands and statements say, set as a page of its own: there is no page of the platform that shows it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import BrowserContext

from .browser import picture

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body {{ margin: 0; padding: 24px 32px; font: 15px/1.5 monospace; color: #16202a; background: #fff }}
h1 {{ font: 700 24px/1.3 sans-serif; margin: 0 0 4px }} h2 {{ font: 600 15px/1.5 monospace; margin: 20px 0 4px }}
pre {{ margin: 0; padding: 10px 14px; border: 1px solid #d5dde3; border-radius: 8px; white-space: pre-wrap }}
</style><h1>{title}</h1>{said}</html>"""


@dataclass(frozen=True)
class Said:
    """What was asked, and the answer, line by line."""

    asked: str
    lines: Sequence[str]


def print_out(context: BrowserContext, name: str, title: str, every: Sequence[Said]) -> None:
    """A picture of what was said."""
    blocks = "".join(
        f"<h2>{html.escape(one.asked)}</h2><pre>{html.escape(chr(10).join(one.lines))}</pre>" for one in every
    )
    page = context.new_page()
    page.set_content(_PAGE.format(title=html.escape(title), said=blocks))
    picture(page, name, whole=True)
    page.close()
