"""The style guide: every token, component and icon on one page, for whoever builds the next one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from suuupra.ui.assets import assets_of
from suuupra.ui.icons import icon_names
from suuupra.ui.templating import templates

_COLOUR = re.compile(r"--(?P<name>[a-z-]+): light-dark\((?P<light>#[0-9a-f]{6}), (?P<dark>#[0-9a-f]{6})\);")


@dataclass(frozen=True)
class Colour:
    """A colour token: ``#rrggbb`` in light and in dark mode."""

    name: str
    light: str
    dark: str


def colours(stylesheet: str = "tokens.css") -> tuple[Colour, ...]:
    """The colour tokens a shared stylesheet defines, in order."""
    found = _COLOUR.finditer(assets_of().text(stylesheet))
    return tuple(Colour(match["name"], match["light"], match["dark"]) for match in found)


async def guide_page(request: Request) -> Response:
    """GET /_ui/guide."""
    shown = {"colours": colours(), "icons": icon_names()}
    return _templates().TemplateResponse(request, "ui/guide.html", shown)


@cache
def _templates() -> Jinja2Templates:
    return templates()
