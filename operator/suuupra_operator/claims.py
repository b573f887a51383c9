"""Who may have what: two resources that claim the same topic, database, bucket or route. The older resource wins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, get_args

from suuupra_operator.desired.topics import DEAD_LETTERS
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.queue import Key
from suuupra_operator.routes import Method, Route


class Claim(NamedTuple):
    """Something of which there can be only one."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Claimant(NamedTuple):
    """Who claims, sorted by age: creation time, then name, so that the order is the same everywhere."""

    created: str
    key: Key


def claims_of(key: Key, spec: SuuupraServiceSpec) -> set[Claim]:
    """Everything a resource claims."""
    found = {Claim("topic", name) for name in _topics(spec)}
    found |= {Claim("bucket", f"{key.name}-{bucket.name}") for bucket in spec.buckets}
    if spec.database is not None:
        found.add(Claim("database", spec.database.name or key.name.replace("-", "_")))
    if spec.secrets is not None:
        found.add(Claim("secrets", key.name))
    if spec.cache:
        found.add(Claim("cache", f"{key.namespace}.{key.name}"))
    for route in spec.routes:
        found |= set(route_claims(route))
    return found


def route_claims(route: Route) -> Iterator[Claim]:
    """A route claims its path once per method, so that overlapping methods collide and others do not."""
    for method in route.methods or get_args(Method):
        yield Claim("route", f"{method} {route.path} ({route.match})")


def _topics(spec: SuuupraServiceSpec) -> Iterable[str]:
    for item in spec.events.publishes if spec.events else ():
        yield from (item.topic, item.topic + DEAD_LETTERS)


@dataclass
class Claims:
    """All claims of all resources, kept as resources come and go."""

    _claimants: dict[Claim, set[Claimant]] = field(default_factory=dict)
    _by_key: dict[Key, tuple[Claimant, set[Claim]]] = field(default_factory=dict)

    def put(self, key: Key, created: str, claims: set[Claim]) -> set[Key]:
        """Record what a resource claims now; returns the others whose rights may have changed."""
        touched = self.drop(key)
        claimant = Claimant(created, key)
        for claim in claims:
            touched |= {other.key for other in self._claimants.setdefault(claim, set())}
            self._claimants[claim].add(claimant)
        self._by_key[key] = claimant, claims
        return touched - {key}

    def drop(self, key: Key) -> set[Key]:
        """The resource is gone; returns the others whose rights may have changed."""
        claimant, claims = self._by_key.pop(key, (Claimant("", key), set[Claim]()))
        touched: set[Key] = set()
        for claim in claims:
            claimants = self._claimants[claim]
            claimants.discard(claimant)
            touched |= {other.key for other in claimants}
            if not claimants:
                del self._claimants[claim]
        return touched

    def holder(self, claim: Claim) -> Key | None:
        """The oldest claimant."""
        claimants = self._claimants.get(claim)
        return min(claimants).key if claimants else None

    def lost(self, key: Key) -> dict[Claim, Key]:
        """What ``key`` claims and another holds."""
        _, claims = self._by_key.get(key, (None, set[Claim]()))
        holders = {claim: self.holder(claim) for claim in claims}
        return {claim: holder for claim, holder in holders.items() if holder is not None and holder != key}

    def holders(self, kind: str) -> Iterator[tuple[str, Key]]:
        """Every held name of one kind of claim."""
        for claim in self._claimants:
            if claim.kind == kind:
                holder = self.holder(claim)
                if holder is not None:
                    yield claim.name, holder
