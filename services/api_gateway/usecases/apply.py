"""Bring Envoy to what the cluster says, around services whose routes Envoy refuses."""

from collections.abc import Callable
from dataclasses import dataclass, field

from services.api_gateway.domain.envoy.config import Config, build
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.holding import Held, changed, routes_of, take, without_held
from services.api_gateway.domain.routes import Snapshot
from services.api_gateway.domain.table import Table, decide
from services.api_gateway.envoy.publisher import Publisher, Rejected
from services.api_gateway.usecases.metrics import REJECTED
from suuupra import logs

_log = logs.get_logger(__name__)

NOTHING = Snapshot((), {})
Builder = Callable[[Table, Snapshot, Options], Config]


@dataclass(frozen=True)
class Applied:
    """What is live in Envoy, and what is not although it was decided."""

    snapshot: Snapshot = NOTHING
    table: Table = field(default_factory=lambda: Table((), ()))
    version: str = ""
    held: dict[str, Held] = field(default_factory=dict)


class Applier:
    """Remembers what is live, and applies snapshots one after another."""

    def __init__(self, options: Options, publisher: Publisher, builder: Builder = build) -> None:
        self._options = options
        self._build = builder
        self._publisher = publisher
        self._live = Applied()

    def base(self) -> Config:
        """What Envoy starts with: the gateway's own routes and no service."""
        return self._build(self._live.table, NOTHING, self._options)

    async def apply(self, snapshot: Snapshot) -> Applied:
        """Make the snapshot live as far as Envoy takes it. Raises NotTaken when Envoy gives no answer."""
        decided = decide(snapshot)
        wanted = without_held(decided, self._live.table, self._live.held)
        try:
            await self._publish(wanted, snapshot)
        except Rejected as refusal:
            _log.warning("Envoy refused the configuration, trying service by service", reason=str(refusal))
            await self._one_by_one(wanted, snapshot)
        self._release(decided)
        return self._live

    async def _one_by_one(self, wanted: Table, snapshot: Snapshot) -> None:
        """Apply the changes of one service at a time; those Envoy refuses are held back."""
        for service in changed(wanted, self._live.table):
            try:
                await self._publish(take(self._live.table, wanted, service), snapshot)
            except Rejected as refusal:
                self._hold(service, Held(routes_of(wanted, service), str(refusal)))

    async def _publish(self, table: Table, snapshot: Snapshot) -> None:
        config = self._build(table, snapshot, self._options)
        await self._publisher.publish(config)
        self._live = Applied(snapshot, table, config.version, self._live.held)

    def _hold(self, service: str, held: Held) -> None:
        REJECTED.inc()
        _log.error("Envoy refuses the routes of a service", refused_service=service, reason=held.reason)
        live = self._live
        self._live = Applied(live.snapshot, live.table, live.version, {**live.held, service: held})

    def _release(self, decided: Table) -> None:
        """Forget what was refused once the service asks for something else."""
        live = self._live
        held = {name: item for name, item in live.held.items() if routes_of(decided, name) == item.routes}
        self._live = Applied(live.snapshot, live.table, live.version, held)
