"""Setting aside a service whose routes Envoy refuses, so that it stops nobody else's from going live."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.api_gateway.domain.table import Served, Table

Routes = tuple[Served, ...]


@dataclass(frozen=True)
class Held:
    """Routes that Envoy refused, and its reason."""

    routes: Routes
    reason: str


def routes_of(table: Table, service: str) -> Routes:
    return tuple(item for item in table.served if item.service == service)


def changed(wanted: Table, live: Table) -> tuple[str, ...]:
    """Services whose served routes differ."""
    services = sorted({*wanted.services(), *live.services()})
    return tuple(name for name in services if routes_of(wanted, name) != routes_of(live, name))


def take(live: Table, wanted: Table, service: str) -> Table:
    """The live table with one service's routes as wanted. The wanted order is kept: it decides what matches first."""
    others = set(routes_of(live, service))
    kept = tuple(item for item in live.served if item not in others)
    return replace(wanted, served=_ordered((*kept, *routes_of(wanted, service))))


def without_held(wanted: Table, live: Table, held: Mapping[str, Held]) -> Table:
    """The wanted table, where services that still ask for what was refused keep what they have live."""
    stuck = [name for name, item in held.items() if routes_of(wanted, name) == item.routes]
    kept = [item for item in wanted.served if item.service not in stuck]
    live_ones = [item for name in stuck for item in routes_of(live, name)]
    return replace(wanted, served=_ordered((*kept, *live_ones)))


def _ordered(items: Routes) -> Routes:
    return tuple(sorted(items, key=lambda item: item.precedence))
