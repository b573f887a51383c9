"""Reading Kubernetes objects: SuuupraServices and EndpointSlices as the gateway needs them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from services.api_gateway.domain.routes import Claimed, Endpoint, Service, Snapshot

Object = Mapping[str, Any]

SERVICE_LABEL: Final = "kubernetes.io/service-name"
PORT_NAME: Final = "http"
DEFAULT_PORT: Final = 8000


def snapshot_of(services: Iterable[Object], slices: Iterable[Object]) -> Snapshot:
    """What both kinds of object say together."""
    followed = tuple(sorted((service_of(item) for item in services), key=lambda service: service.name))
    return Snapshot(followed, _endpoints_of(slices))


def service_of(resource: Object) -> Service:
    metadata = resource["metadata"]
    routes = (resource.get("status") or {}).get("routes") or ()
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    leaving = "deletionTimestamp" in metadata
    return Service(metadata["name"], created, tuple(_claimed(route) for route in routes), leaving)


def _claimed(route: Mapping[str, Any]) -> Claimed:
    """Anything but a literal true is not accepted: a half-written status opens nothing."""
    return Claimed(
        fields={key: value for key, value in route.items() if key not in {"accepted", "reason", "message"}},
        accepted=route.get("accepted") is True,
        reason=str(route.get("reason") or "NotAccepted"),
        message=str(route.get("message") or "the operator has not accepted this route"),
    )


def _endpoints_of(slices: Iterable[Object]) -> dict[str, tuple[Endpoint, ...]]:
    ready: defaultdict[str, set[Endpoint]] = defaultdict(set)
    for piece in slices:
        if service := (piece["metadata"].get("labels") or {}).get(SERVICE_LABEL):
            ready[service].update(_ready_in(piece))
    return {service: tuple(sorted(found)) for service, found in sorted(ready.items())}


def _ready_in(piece: Object) -> Iterator[Endpoint]:
    """A missing `ready` condition means ready (EndpointSlice API, v1)."""
    port = _port_of(piece)
    for endpoint in piece.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") in {True, None}:
            for address in endpoint.get("addresses") or ():
                yield Endpoint(address, port)


def _port_of(piece: Object) -> int:
    ports = piece.get("ports") or ()
    named = [port["port"] for port in ports if port.get("name") == PORT_NAME and port.get("port")]
    return int(named[0]) if named else DEFAULT_PORT
