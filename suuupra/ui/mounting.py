"""Putting the look into an application: static files, page headers and, where asked for, the style guide."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.routing import Route

from suuupra.ui.assets import PREFIX, assets_of
from suuupra.ui.guide import guide_page
from suuupra.ui.security import PageHeaders


def mount(
    app: FastAPI,
    static: Path | None = None,
    *,
    at: str = PREFIX,
    guide: bool = False,
    connect: bool = False,
) -> None:
    """Serve the files below ``at`` (the web app's is ``/_ui``, another service's ``/_ui/NAME``) and put the page headers on every HTML answer of ``app``.

    ``static`` is the service's own folder, usually ``pages/static``; ``guide`` adds ``/_ui/guide``;
    ``connect`` allows the pages' scripts to call their own origin.
    """
    assets = assets_of(*((static,) if static else ()), at=at)
    if guide:
        app.router.routes.append(Route(f"{at}/guide", guide_page, include_in_schema=False))
    app.router.routes.append(Route(f"{at}/{{path:path}}", assets.serve, include_in_schema=False))
    app.add_middleware(PageHeaders, connect=connect)
