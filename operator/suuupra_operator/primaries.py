"""The resources themselves, as last seen: what the watch delivers, what a list corrects, what our own writes answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from suuupra_operator.children import controller_of, version
from suuupra_operator.claims import Bid, Claim, Claims, adopted, claims_of, had_by
from suuupra_operator.cluster import Object
from suuupra_operator.desired.rail import Rail
from suuupra_operator.errors import Permanent
from suuupra_operator.kinds import PLATFORM, RAIL, SERVICE
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.queue import Key, Queue
from suuupra_operator.rail import PaymentRailSpec
from suuupra_operator.status import PaymentRailStatus, SuuupraServiceStatus

_M = TypeVar("_M", SuuupraServiceSpec, SuuupraPlatformSpec, PaymentRailSpec)
PLATFORM_KEY = Key(PLATFORM.name, "", "suuupra")
STALE_SECONDS = 60.0
"""An edit that a list shows and the watch has not delivered for this long means that the watch is dead."""


class InvalidSpec(Permanent):
    """A spec that came past the API server and still cannot be read."""

    reason = "InvalidSpec"


def key_of(obj: Object) -> Key:
    meta = obj["metadata"]
    return Key(obj["kind"], meta.get("namespace", ""), meta["name"])


def spec_of(obj: Object) -> SuuupraServiceSpec:
    return _read(SuuupraServiceSpec, obj.get("spec", {}))


def platform_spec_of(obj: Object) -> SuuupraPlatformSpec:
    return _read(SuuupraPlatformSpec, obj.get("spec", {}))


def rail_of(obj: Object) -> Rail:
    meta = obj["metadata"]
    return Rail(meta["namespace"], meta["name"], meta["uid"], _read(PaymentRailSpec, obj.get("spec", {})))


def rail_status_of(obj: Object) -> PaymentRailStatus:
    """As `status_of`."""
    try:
        return PaymentRailStatus.model_validate(obj.get("status", {}))
    except ValidationError:
        return PaymentRailStatus()


def status_of(obj: Object) -> SuuupraServiceStatus:
    """The status as last written; a status nobody can read counts as none, since it is rebuilt anyway."""
    try:
        return SuuupraServiceStatus.model_validate(obj.get("status", {}))
    except ValidationError:
        return SuuupraServiceStatus()


def is_ready(obj: Object) -> bool:
    """Whether a resource of whatever kind says Ready for its present generation."""
    status = obj.get("status", {})
    return bool(status.get("observedGeneration", 0) == obj["metadata"].get("generation")) and any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or []
    )


def _read(model: type[_M], spec: object) -> _M:
    try:
        return model.model_validate(spec)
    except ValidationError as error:
        raise InvalidSpec(words(error)) from None


def words(error: ValidationError) -> str:
    """Every fault as field and rule."""
    faults = []
    for fault in error.errors(include_url=False):
        field_path = ".".join(["spec", *(str(part) for part in fault["loc"])])
        faults.append(f"{field_path}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(faults)[:1000]


@dataclass
class Primaries:
    """All SuuupraServices, PaymentRails and the platform."""

    queue: Queue
    served: frozenset[str] | None = None
    """Namespaces whose resources may have something; None: all."""
    objects: dict[Key, Object] = field(default_factory=dict)
    claims: Claims = field(default_factory=Claims)
    _missed: dict[Key, float] = field(default_factory=dict)

    def get(self, key: Key) -> Object | None:
        return self.objects.get(key)

    def platform(self) -> SuuupraPlatformSpec | None:
        """The platform's spec, when there is one that can be read."""
        found = self.objects.get(PLATFORM_KEY)
        try:
            return platform_spec_of(found) if found is not None else None
        except InvalidSpec:
            return None

    def services(self) -> Iterator[Object]:
        return (obj for key, obj in self.objects.items() if key.kind == SERVICE.name)

    def rails(self) -> Iterator[Object]:
        return (obj for key, obj in self.objects.items() if key.kind == RAIL.name)

    def operated(self, namespace: str, name: str) -> bool:
        """Whether a rail has the operator ask this resource's internal API."""
        for obj in self.rails():
            if obj["metadata"].get("namespace") == namespace and name in _operated(obj):
                return True
        return False

    def event(self, kind: str | None, obj: Object) -> None:
        """What the watch delivers: kind is ADDED, MODIFIED, DELETED, or None in the first listing."""
        self._missed.pop(key_of(obj), None)
        if kind == "DELETED":
            self.drop(obj)
        else:
            self.put(obj)

    def wrote(self, obj: Object) -> None:
        """The answer to our own write: known at once, and no reason to look at the resource again."""
        self.put(obj, look=False)

    def put(self, obj: Object, *, look: bool = True) -> None:
        """Take in a state; older than what is known is ignored."""
        key, known = key_of(obj), self.objects.get(key_of(obj))
        if known is not None and version(known) >= version(obj):
            return
        self.objects[key] = obj
        if look:
            self.queue.add(key)
        if key.kind == SERVICE.name:
            self._claim(key, obj, known)
        if key.kind == RAIL.name and _edited(known, obj):
            self._open(key, obj, known)

    def drop(self, obj: Object) -> None:
        """The object is gone, unless its namesake is already here."""
        key = key_of(obj)
        known = self.objects.get(key)
        if known is None or known["metadata"]["uid"] != obj["metadata"]["uid"]:
            return
        del self.objects[key]
        self.queue.forget(key)
        if key.kind == RAIL.name:
            self._open(key, known, None)
            return
        self._enqueue(self.claims.drop(key) | self._dependents(key) | _readers(known) | _parents(known))
        self._enqueue([PLATFORM_KEY])
        if key.kind == PLATFORM.name:
            self.enqueue_all()

    def replace(self, kind: str, items: Iterable[Object]) -> None:
        """What a list says; it also shows what the watch should have delivered."""
        fresh = {key_of(obj): obj for obj in items}
        for key in [key for key in self.objects if key.kind == kind and key not in fresh]:
            self._missed.setdefault(key, time.monotonic())
            self.drop(self.objects[key])
        for key, obj in fresh.items():
            known = self.objects.get(key)
            if known is None or version(known) < version(obj):
                self._missed.setdefault(key, time.monotonic())
                self.put(obj)

    def missed(self) -> bool:
        """Whether the watch failed to deliver something a list showed long ago."""
        return any(time.monotonic() - since > STALE_SECONDS for since in self._missed.values())

    def enqueue_all(self) -> None:
        self._enqueue(key for key in self.objects if key.kind in (SERVICE.name, RAIL.name))

    def _open(self, key: Key, obj: Object, known: Object | None) -> None:
        """Whoever lets the operator in because of a rail is looked at again."""
        names = _operated(obj) | (_operated(known) if known is not None else set())
        self._enqueue(Key(SERVICE.name, key.namespace, name) for name in names)

    def _claim(self, key: Key, obj: Object, known: Object | None) -> None:
        """Whoever shares a claim, or waits for this resource, is looked at again."""
        edited = _edited(known, obj)
        self._enqueue(self.claims.put(key, self._bid(key, obj, edited=edited)))
        if edited:
            self._enqueue(_readers(obj) | (_readers(known) if known is not None else set()))
            self._enqueue(_parents(obj))
        if known is None or is_ready(known) != is_ready(obj):
            self._enqueue(self._dependents(key) | _parents(obj) | {PLATFORM_KEY})

    def _bid(self, key: Key, obj: Object, *, edited: bool) -> Bid:
        """Rights follow from spec, status and annotations; the spec is read anew only where it may differ."""
        claims = frozenset(self._claims(key, obj)) if edited else self.claims.claimed(key)
        meta = obj["metadata"]
        has, adopts = claims & had_by(status_of(obj)), adopted(meta.get("annotations", {}))
        return Bid(meta["uid"], meta["creationTimestamp"], claims, has, adopts)

    def _claims(self, key: Key, obj: Object) -> set[Claim]:
        """Nothing where nobody serves it: it would only keep others from it. What cannot be read gave nothing up."""
        if self.served is not None and key.namespace not in self.served:
            return set()
        try:
            return claims_of(key, spec_of(obj))
        except InvalidSpec:
            return had_by(status_of(obj))

    def _dependents(self, key: Key) -> set[Key]:
        return {
            other
            for other, obj in self.objects.items()
            if other.namespace == key.namespace and key.name in obj.get("spec", {}).get("dependsOn", [])
        }

    def _enqueue(self, keys: Iterable[Key]) -> None:
        for key in keys:
            if key in self.objects:
                self.queue.add(key)


def _readers(obj: Object) -> set[Key]:
    """Whom a resource lets read its secrets: what they may do follows from it."""
    secrets = obj.get("spec", {}).get("secrets") or {}
    names = {name for grant in secrets.get("grants") or [] for name in grant.get("to") or []}
    return {Key(SERVICE.name, obj["metadata"].get("namespace", ""), name) for name in names}


def _edited(known: Object | None, obj: Object) -> bool:
    """Whether the spec may differ. One that was made again begins to count its generations anew."""
    return known is None or any(
        known["metadata"].get(name) != obj["metadata"].get(name) for name in ("uid", "generation")
    )


def _parents(obj: Object) -> set[Key]:
    """The rail that a resource belongs to."""
    owner = controller_of(obj)
    if owner.get("kind") != RAIL.name:
        return set()
    return {Key(RAIL.name, obj["metadata"].get("namespace", ""), owner.get("name", ""))}


def _operated(obj: Object) -> set[str]:
    try:
        return rail_of(obj).operated()
    except InvalidSpec:
        return set()
