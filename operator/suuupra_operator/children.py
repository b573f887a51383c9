"""The live children of all resources, by watch, and the one way they are written: compare first, apply what differs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from suuupra_operator import drift, metrics
from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.desired.subject import INSTANCE, MANAGER, Subject
from suuupra_operator.errors import ApiError, Conflict, Temporary, Unreachable
from suuupra_operator.kinds import CHILDREN, DEPLOYMENT, JOB, SERVICE, Kind, kind_of
from suuupra_operator.queue import Key
from suuupra_operator.writes import Gate, Write

log = logging.getLogger(__name__)

SELECTOR = f"app.kubernetes.io/managed-by={MANAGER}"
RETRY_SECONDS = 3.0
Name = tuple[str, str, str]
"""Kind, namespace, name."""


def version(obj: Object) -> int:
    """Order of two states of one object (resourceVersions are etcd revisions; comparable by KEP-5504)."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def name_of(obj: Object) -> Name:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def controller_of(obj: Object) -> Object:
    """The owner that controls an object; empty when nobody does."""
    owners = obj["metadata"].get("ownerReferences", [])
    return next((owner for owner in owners if owner.get("controller")), {})


@dataclass
class Cache:
    """Watched children, kept current by events and by the answers to our own writes."""

    changed: Callable[[Key], None]
    objects: dict[Name, Object] = field(default_factory=dict)
    _of: dict[Key, set[Name]] = field(default_factory=dict)
    _lost: dict[Key, dict[Name, str]] = field(default_factory=dict)
    """Deleted by somebody else and not made again yet, with the uid of the resource they were made for; empty where
    that was taken off first."""
    _ours: set[str] = field(default_factory=set)
    """Uids that we deleted ourselves."""

    def of(self, subject: Subject) -> list[Object]:
        """Children of one resource."""
        return [self.objects[name] for name in self._of.get(_key(subject), ())]

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self.objects.get((kind.name, namespace, name))

    def put(self, obj: Object) -> bool:
        """Take in a state of an object; False when a newer one is known."""
        name, key = name_of(obj), _resource_of(obj)
        known = self.objects.get(name)
        if known is not None and version(known) >= version(obj):
            return False
        self.objects[name] = obj
        if key is not None:
            self._of.setdefault(key, set()).add(name)
        return True

    def drop(self, obj: Object) -> None:
        name = name_of(obj)
        known = self.objects.get(name)
        if known is None or known["metadata"]["uid"] != obj["metadata"]["uid"]:
            return
        del self.objects[name]
        for names in self._of.values():
            names.discard(name)
        if known["metadata"]["uid"] in self._ours:
            self._ours.discard(known["metadata"]["uid"])
        else:
            self._lose(known)

    def _lose(self, obj: Object) -> None:
        key, uid = _resource_of(obj), controller_of(obj).get("uid", "")
        if key is not None:
            self._lost.setdefault(key, {})[name_of(obj)] = uid

    def lost(self, subject: Subject, name: Name) -> bool:
        """Whether somebody deleted this child of the resource; what went with a namesake before it was not lost."""
        return self._lost.get(_key(subject), {}).get(name) in (subject.uid, "")

    def found(self, subject: Subject, name: Name) -> None:
        """The child is there again."""
        self._lost.get(_key(subject), {}).pop(name, None)

    def forget(self, key: Key) -> None:
        """The resource is gone, and its children go with it: nobody will make them again."""
        self._lost.pop(key, None)
        if not self._of.get(key):
            self._of.pop(key, None)

    def deleting(self, obj: Object) -> None:
        """We are about to delete this one: its absence will be no drift."""
        self._ours.add(obj["metadata"]["uid"])

    def event(self, kind: str, obj: Object) -> None:
        """A watch event: take it in and have the owner looked at."""
        key = _resource_of(obj)
        if kind == "DELETED":
            self.drop(obj)
        elif not self.put(obj):
            return
        if key is not None:
            self.changed(key)

    def replace(self, kind: Kind, namespace: str, items: Iterable[Object]) -> None:
        """The truth about one kind in one namespace, from a list."""
        fresh = {name_of(obj): obj for obj in items}
        stale = [name for name in self.objects if name[:2] == (kind.name, namespace) and name not in fresh]
        for name in stale:
            self.event("DELETED", self.objects[name])
        for obj in fresh.values():
            self.event("ADDED", obj)


@dataclass
class Watcher:
    """Lists and watches one kind in one namespace for ever; a silent stream is dropped, a lost place lists anew."""

    cluster: Cluster
    cache: Cache
    kind: Kind
    namespace: str
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    heard: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        while True:
            try:
                await self._list_and_watch()
            except ApiError as error:
                if error.status not in (403, 404, 410) and not error.temporary:
                    raise
                log.log(logging.DEBUG if error.status == 410 else logging.WARNING, "%s: %s", self, error)
                if (
                    error.forbidden or error.missing
                ):  # the namespace, or our Role in it, is gone: so are the children
                    self.cache.replace(self.kind, self.namespace, [])
                    self.synced.set()
            except Unreachable as error:
                log.warning("%s: %s", self, error)
            await asyncio.sleep(RETRY_SECONDS)

    def __str__(self) -> str:
        return f"watch of {self.kind.plural} in {self.namespace}"

    async def _list_and_watch(self) -> None:
        items, place = await self.cluster.items(self.kind, self.namespace, labelSelector=SELECTOR)
        self.cache.replace(self.kind, self.namespace, items)
        self.heard = time.monotonic()
        self.synced.set()
        while True:
            stream = self.cluster.watch(self.kind, self.namespace, place, labelSelector=SELECTOR)
            async for event in stream:
                self.heard = time.monotonic()
                place = self._take(event, place)

    def _take(self, event: Object, place: str) -> str:
        obj = event["object"]
        if event["type"] == "ERROR":
            raise ApiError(int(obj.get("code") or 500), obj.get("reason", ""), obj.get("message", ""))
        if event["type"] != "BOOKMARK":
            head = {"apiVersion": self.kind.api_version, "kind": self.kind.name}
            self.cache.event(event["type"], head | obj)
        return str(obj["metadata"]["resourceVersion"])


class Children:
    """What exists for each resource, made to agree with what should."""

    def __init__(
        self, cluster: Cluster, gate: Gate, namespaces: Iterable[str], changed: Callable[[Key], None]
    ) -> None:
        self._cluster, self._gate = cluster, gate
        self.cache = Cache(changed)
        self._watchers = [Watcher(cluster, self.cache, kind, ns) for ns in namespaces for kind in CHILDREN]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for watcher in self._watchers:
                group.create_task(watcher.run())

    async def synced(self) -> None:
        """Wait until every kind was listed once: before that, nothing can be said to be missing."""
        for watcher in self._watchers:
            await watcher.synced.wait()

    def silence(self) -> float:
        """Seconds since the quietest watch heard anything, bookmarks included."""
        return time.monotonic() - min((watcher.heard for watcher in self._watchers), default=time.monotonic())

    async def ensure(self, subject: Subject, manifests: Iterable[Object]) -> list[str]:
        """Make the children as desired; returns those put right after somebody changed them, as "Kind name"."""
        results = await asyncio.gather(
            *(self._ensure(subject, drift.stamped(manifest)) for manifest in manifests),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if isinstance(result, str)]

    async def delete(self, obj: Object) -> None:
        self.cache.deleting(obj)
        async with self._gate.kubernetes(Write.CHILD_DELETED):
            await self._cluster.delete(obj)

    async def prune(
        self, subject: Subject, manifests: Iterable[Object], *, keep: Callable[[Object], bool]
    ) -> None:
        """Delete what is no longer desired, except what ``keep`` says."""
        wanted = {name_of(manifest) for manifest in manifests}
        for live in self.cache.of(subject):
            leaving = live["metadata"].get("deletionTimestamp")
            if name_of(live) not in wanted and not leaving and not keep(live):
                await self.delete(live)

    async def _ensure(self, subject: Subject, desired: Object) -> str | None:
        live = self.cache.objects.get(name_of(desired))
        if live is None:
            live = await self._stranger(desired)
        if live is not None:
            _refuse_unless_owned(subject, live)
            if desired["kind"] == JOB.name or self._agrees(desired, live):
                return None
        drifted = self.cache.lost(subject, name_of(desired)) or (
            live is not None and (drift.is_current(desired, live) or bool(drift.written_by_others(live)))
        )
        await self._apply(desired, live)
        self.cache.found(subject, name_of(desired))
        if not drifted:
            return None
        metrics.DRIFT.labels(desired["kind"]).inc()
        return f"{desired['kind']} {desired['metadata']['name']}"

    @staticmethod
    def _agrees(desired: Object, live: Object) -> bool:
        return (
            drift.is_current(desired, live)
            and drift.holds(desired, live)
            and not drift.foreign_fields(desired, live)
        )

    async def _stranger(self, desired: Object) -> Object | None:
        """An object of that name that we do not watch: made by hand, or with its labels taken away."""
        meta = desired["metadata"]
        return await self._cluster.get(kind_of(desired), meta["name"], meta["namespace"])

    async def _apply(self, desired: Object, before: Object | None) -> None:
        try:
            live = await self._applied(desired)
        except ApiError as error:
            if error.status != 422 or before is None:
                raise
            await self._overwrite(desired, before)
            live = await self._applied(desired)
        foreign = drift.foreign_fields(desired, live)
        if foreign:
            live = await self._strip(live, foreign)
        self.cache.put(live)

    async def _applied(self, desired: Object) -> Object:
        async with self._gate.kubernetes(Write.CHILD_APPLIED, desired["kind"]):
            return await self._cluster.apply(desired)

    async def _overwrite(self, desired: Object, live: Object) -> None:
        """Replace lists whole: a list item added by hand may contradict ours, so that both cannot be there at once."""
        path = kind_of(live).path(live["metadata"]["namespace"], live["metadata"]["name"])
        parts: Object = {part: desired[part] for part in ("spec", "data") if part in desired}
        async with self._gate.kubernetes(Write.CHILD_STRIPPED):
            await self._cluster.merge(path, parts)

    async def _strip(self, live: Object, pointers: list[str]) -> Object:
        """Take away what somebody else added; applying alone removes only what we once applied."""
        test: dict[str, Any] = {"op": "test", "path": "/metadata/resourceVersion"}
        operations = [test | {"value": live["metadata"]["resourceVersion"]}]
        operations += [{"op": "remove", "path": pointer} for pointer in pointers]
        path = kind_of(live).path(live["metadata"]["namespace"], live["metadata"]["name"])
        async with self._gate.kubernetes(Write.CHILD_STRIPPED):
            return await self._cluster.json_patch(path, operations)


def _refuse_unless_owned(subject: Subject, live: Object) -> None:
    """Two owners would fight for ever, so whoever came first keeps the object. What we applied for this resource stays
    its own also when somebody has taken the owner off."""
    owner = controller_of(live)
    if owner.get("uid") == subject.uid or (not owner and drift.applied_for(subject.name, live)):
        return
    what = f"{live['kind']} {live['metadata']['name']}"
    if owner.get("kind") == SERVICE.name and owner.get("name") == subject.name:
        raise Temporary(f"{what} belongs to a deleted namesake and is about to be collected")
    if owner:
        raise Conflict(f"{what} belongs to {owner.get('kind')} {owner.get('name')}: rename one of the two")
    raise Conflict(f"{what} exists and was not made by the operator: delete it or rename this resource")


def _key(subject: Subject) -> Key:
    return Key(SERVICE.name, subject.namespace, subject.name)


def _resource_of(obj: Object) -> Key | None:
    """The resource an object was made for."""
    owner = controller_of(obj)
    name = (
        owner.get("name")
        if owner.get("kind") == SERVICE.name
        else obj["metadata"].get("labels", {}).get(INSTANCE)
    )
    return Key(SERVICE.name, obj["metadata"].get("namespace", ""), name) if name else None


def is_workload(obj: Object) -> bool:
    return bool(obj["kind"] == DEPLOYMENT.name)
