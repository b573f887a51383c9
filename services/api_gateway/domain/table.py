"""Decide which of the claimed routes are served, and say of each other one why not."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from services.api_gateway.domain.routes import Auth, Claimed, Match, Route, Service, Snapshot, parse_route

RESERVED: Final = ("/internal", "/gateway")
"""Never handed to a service: ``/internal`` is for pods only, ``/gateway`` is the gateway's own page."""


class Reason(StrEnum):
    INVALID = "InvalidRoute"
    RESERVED = "ReservedPath"
    CONFLICT = "RouteConflict"
    LEAVING = "BeingDeleted"


@dataclass(frozen=True)
class Served:
    """A route and the service behind it."""

    service: str
    route: Route

    @property
    def name(self) -> str:
        """Names the route in logs, metrics and on the page; unique in a table."""
        verbs = ",".join(self.route.methods) or "ANY"
        exact = "=" if self.route.match is Match.EXACT else ""
        return f"{self.service} {verbs} {exact}{self.route.path}"

    @property
    def precedence(self) -> tuple[int, bool, str, str]:
        """Order of matching: longest path first, exact before prefix; the rest only keeps it stable."""
        inexact = self.route.match is not Match.EXACT
        return -len(self.route.path), inexact, self.route.path, self.name


@dataclass(frozen=True)
class Refused:
    """A route that is not served; ``by`` says whose decision that was."""

    service: str
    path: str
    methods: tuple[str, ...]
    reason: str
    message: str
    by: Literal["operator", "gateway"]


@dataclass(frozen=True)
class Table:
    """Served routes in order of matching, and the refused ones."""

    served: tuple[Served, ...]
    refused: tuple[Refused, ...]

    def services(self) -> tuple[str, ...]:
        return tuple(sorted({item.service for item in self.served}))


def decide(snapshot: Snapshot) -> Table:
    """The route table of a snapshot. Of two routes that overlap, the older resource's is served.

    A resource that is being deleted serves while a pod of it is ready; its routes leave with the last one.
    """
    served: list[Served] = []
    refused: list[Refused] = []
    for service, claimed in _by_age(snapshot):
        gone = service.leaving and not snapshot.ready(service.name)
        match _left(service, claimed) if gone else _judge(service, claimed, served):
            case Served() as one:
                served.append(one)
            case Refused() as other:
                refused.append(other)
    return Table(tuple(sorted(served, key=lambda item: item.precedence)), tuple(refused))


def _by_age(snapshot: Snapshot) -> Iterator[tuple[Service, Claimed]]:
    for service in sorted(snapshot.services, key=lambda item: (item.created, item.name)):
        for claimed in service.routes:
            yield service, claimed


def _judge(service: Service, claimed: Claimed, served: list[Served]) -> Served | Refused:
    if not claimed.accepted:
        return _refuse(service, claimed, claimed.reason, claimed.message, by="operator")
    try:
        route = parse_route(claimed)
    except ValueError as error:
        return _refuse(service, claimed, Reason.INVALID, str(error))
    if reserved := _reserved(route):
        return _refuse(
            service, claimed, Reason.RESERVED, f"{reserved} belongs to the gateway; choose another path"
        )
    if route.auth is not Auth.USER and (route.scopes or route.roles):
        return _refuse(service, claimed, Reason.INVALID, "auth: scopes and roles need auth: user")
    if holder := next((other for other in served if _overlap(other.route, route)), None):
        return _refuse(
            service, claimed, Reason.CONFLICT, f"already served for {holder.service}, which is older"
        )
    return Served(service.name, route)


def _left(service: Service, claimed: Claimed) -> Refused:
    text = (
        f"{service.name} is being deleted and has no pod any more; what its deletion waits for, says"
        f" kubectl describe suuupraservice {service.name}"
    )
    return _refuse(service, claimed, Reason.LEAVING, text)


def _reserved(route: Route) -> str | None:
    path = route.path.rstrip("/").lower()
    return next((item for item in RESERVED if path == item or path.startswith(f"{item}/")), None)


def _overlap(one: Route, other: Route) -> bool:
    if one.key != other.key:
        return False
    return not one.methods or not other.methods or not set(one.methods).isdisjoint(other.methods)


def _refuse(
    service: Service,
    claimed: Claimed,
    reason: str,
    message: str,
    by: Literal["operator", "gateway"] = "gateway",
) -> Refused:
    fields: dict[str, Any] = claimed.fields
    methods = tuple(str(method) for method in fields.get("methods") or ())
    return Refused(service.name, str(fields.get("path", "")), methods, reason, message, by)
