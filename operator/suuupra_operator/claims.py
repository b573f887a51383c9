"""Who may have what: of two resources that claim the same topic, database, bucket or route, one gets it.

The one that has it keeps it, however old the other is: an edit takes nothing from anybody. Among those that have nothing
yet the one that was looked at first gets it, else the older. Only one that adopts it by name takes over from a holder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, get_args

from suuupra_operator.desired.topics import DEAD_LETTERS
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.queue import Key
from suuupra_operator.routes import Method, Route
from suuupra_operator.status import SuuupraServiceStatus

ADOPT = "suuupra.io/adopt"
ADOPTABLE = ("topic", "database")


class Claim(NamedTuple):
    """Something of which there can be only one."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Standing(IntEnum):
    """Why a claimant goes before another, strongest first."""

    ADOPTED = 0
    """Adopts what it has: two that adopt the same do not take it from each other in turns."""
    ADOPTS = 1
    HAS = 2
    """By its status, which survives a restart of the operator."""
    FIRST = 3
    """Held it when it was looked at, and may be making it now: its status will say so."""
    ASKS = 4


class Claimant(NamedTuple):
    """Who claims, sorted by right, then creation time, then name, so that the order is the same everywhere."""

    standing: Standing
    created: str
    key: Key


@dataclass(frozen=True)
class Bid:
    """What a resource claims, what of it it has, and what it adopts."""

    uid: str
    created: str
    claims: frozenset[Claim] = frozenset()
    has: frozenset[Claim] = frozenset()
    adopts: frozenset[str] = frozenset()

    def standing(self, claim: Claim, first: Collection[Claim]) -> Standing:
        has = claim in self.has
        if claim.kind in ADOPTABLE and claim.name in self.adopts:
            return Standing.ADOPTED if has else Standing.ADOPTS
        return Standing.HAS if has else Standing.FIRST if claim in first else Standing.ASKS


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


def had_by(status: SuuupraServiceStatus) -> set[Claim]:
    """Everything a resource has: what was made for it, and the routes that the gateway serves for it."""
    made = status.claims
    found = {Claim("topic", name) for name in made.topics} | {Claim("bucket", name) for name in made.buckets}
    named = {"database": made.database, "secrets": made.secrets, "cache": made.cache}
    found |= {Claim(kind, name) for kind, name in named.items() if name}
    for route in status.routes:
        found |= set(route_claims(route)) if route.accepted else set()
    return found


def adopted(annotations: Mapping[str, str]) -> frozenset[str]:
    """What a resource takes over, by name: its author says so in an annotation."""
    return frozenset(name.strip() for name in annotations.get(ADOPT, "").split(",") if name.strip())


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

    _claimants: dict[Claim, dict[Key, Claimant]] = field(default_factory=dict)
    _bids: dict[Key, Bid] = field(default_factory=dict)
    _first: dict[Key, frozenset[Claim]] = field(default_factory=dict)

    def put(self, key: Key, bid: Bid) -> set[Key]:
        """Record what a resource claims now; returns the others whose rights may have changed."""
        known = self._bids.get(key)
        if known == bid:
            return set()
        if known is not None and known.uid != bid.uid:
            self._first.pop(key, None)
        self._bids[key] = bid
        return self._rank(key, known)

    def drop(self, key: Key) -> set[Key]:
        """The resource is gone; returns the others whose rights may have changed."""
        known = self._bids.pop(key, None)
        self._first.pop(key, None)
        return self._rank(key, known)

    def take(self, key: Key) -> dict[Claim, Key]:
        """What ``key`` claims and another holds; the rest nobody gets before it from here on by age alone."""
        lost, bid = self.lost(key), self._bids.get(key)
        if bid is not None:
            self._first[key] = bid.claims - lost.keys()
            self._rank(key, bid)
        return lost

    def claimed(self, key: Key) -> frozenset[Claim]:
        """What a resource claims, as last recorded."""
        bid = self._bids.get(key)
        return bid.claims if bid is not None else frozenset()

    def holder(self, claim: Claim) -> Key | None:
        """The claimant with the best right."""
        claimants = self._claimants.get(claim)
        return min(claimants.values()).key if claimants else None

    def lost(self, key: Key) -> dict[Claim, Key]:
        """What ``key`` claims and another holds."""
        holders = {claim: self.holder(claim) for claim in self.claimed(key)}
        return {claim: holder for claim, holder in holders.items() if holder is not None and holder != key}

    def others(self, key: Key, claim: Claim) -> bool:
        """Whether what was made for ``key`` is another's by now, or another has it, too: then it is not ``key``'s to end."""
        holder = self.holder(claim)
        if holder is not None and holder != key:
            return True
        return any(
            other != key and claim in self._bids[other].has for other in self._claimants.get(claim, ())
        )

    def holders(self, kind: str) -> Iterator[tuple[str, Key]]:
        """Every held name of one kind of claim."""
        for claim in self._claimants:
            if claim.kind == kind:
                holder = self.holder(claim)
                if holder is not None:
                    yield claim.name, holder

    def _rank(self, key: Key, known: Bid | None) -> set[Key]:
        """Put the resource in its place for all that it claims or claimed; returns those it meets where that changed."""
        bid, first = self._bids.get(key), self._first.get(key, frozenset[Claim]())
        touched: set[Key] = set()
        for claim in self.claimed(key) | (known.claims if known is not None else frozenset()):
            claimants = self._claimants.setdefault(claim, {})
            before = claimants.pop(key, None)
            if bid is not None and claim in bid.claims:
                claimants[key] = Claimant(bid.standing(claim, first), bid.created, key)
            if before != claimants.get(key):
                touched |= claimants.keys() - {key}
            if not claimants:
                del self._claimants[claim]
        return touched
