"""The page at /gateway and its JSON twin; read only."""

from pathlib import Path

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from services.api_gateway.domain.view import GatewayView, SourceView, refused_view, routes_view, trouble_of
from services.api_gateway.usecases.serve import Gateway
from suuupra import ui
from suuupra.auth import User
from suuupra.errors import Forbidden

PAGES = Path(__file__).parent / "pages"
OPERATOR = "operator"

LOOK = "/gateway"
"""Where the page's stylesheets are: beside it, so that it is readable when every service is away."""

_assets = ui.assets_of(PAGES / "static")
_templates = ui.templates(PAGES)
_templates.env.globals["asset"] = lambda name: LOOK + _assets.url(name)


async def operators_only(caller: User) -> None:
    """Envoy asks for the role already; a request that came another way is asked again."""
    if OPERATOR not in caller.roles:
        raise Forbidden("only operators may see the gateway's routes")


def router(gateway: Gateway, *, guarded: bool) -> APIRouter:
    routes = APIRouter(dependencies=[Depends(operators_only)] if guarded else [])

    @routes.get("/gateway/routes.json", summary="Live and refused routes")
    async def as_json() -> GatewayView:
        return await view_of(gateway)

    @routes.get("/gateway", response_class=HTMLResponse, include_in_schema=False)
    async def as_page(request: Request) -> HTMLResponse:
        view = await view_of(gateway)
        return _templates.TemplateResponse(
            request,
            "gateway.html",
            {"view": view, "troubles": list(trouble_of(view))},
            headers={"Cache-Control": "no-store"},
        )

    routes.add_api_route(f"{LOOK}/_ui/{{path:path}}", _assets.serve, include_in_schema=False)
    return routes


async def view_of(gateway: Gateway) -> GatewayView:
    """The state of this moment."""
    status, applied = gateway.status, gateway.status.applied
    return GatewayView(
        envoy=await gateway.state(),
        version=applied.version,
        updated_at=status.updated,
        apply_milliseconds=round(status.took_seconds * 1000, 1),
        source=SourceView(trouble=gateway.source.trouble(), age_seconds=round(gateway.source.age(), 1)),
        routes=routes_view(applied.table, applied.snapshot),
        refused=refused_view(applied.table, applied.held),
    )
