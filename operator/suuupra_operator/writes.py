"""Every kind of write the operator makes outside its own memory.

Each one passes through a `Gate`: it is fenced (a process that may have lost the Lease writes nothing), counted, and
followed by a failpoint, so that a test can kill the operator after every single one (check O20).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Protocol

from suuupra import failpoints
from suuupra_operator import metrics


class Write(StrEnum):
    """The writes, as ``<backend>.<what>``. Failpoint of each: ``operator.<backend>.<what>``; see `suuupra.failpoints`."""

    FINALIZER_ADDED = "kubernetes.finalizer-added"
    FINALIZER_REMOVED = "kubernetes.finalizer-removed"
    STATUS = "kubernetes.status"
    CHILD_APPLIED = "kubernetes.child-applied"
    CHILD_STRIPPED = "kubernetes.child-stripped"
    CHILD_DELETED = "kubernetes.child-deleted"
    EVENT = "kubernetes.event"
    ORPHANS_RECORDED = "kubernetes.orphans-recorded"
    ROLES = "postgres.roles"
    DATABASE_CREATED = "postgres.database-created"
    DATABASE_PREPARED = "postgres.database-prepared"
    LOGIN = "postgres.login"
    LOGIN_RETIRED = "postgres.login-retired"
    DATABASE_DROPPED = "postgres.database-dropped"
    ROLES_DROPPED = "postgres.roles-dropped"
    TOPICS_CREATED = "kafka.topics-created"
    PARTITIONS_ADDED = "kafka.partitions-added"
    TOPIC_CONFIGURED = "kafka.topic-configured"
    TOPICS_DELETED = "kafka.topics-deleted"
    BUCKET_CREATED = "objects.bucket-created"
    BUCKET_DELETED = "objects.bucket-deleted"
    USER_CREATED = "objects.user-created"
    POLICY_PUT = "objects.policy-put"
    KEY_CREATED = "objects.key-created"
    KEY_DELETED = "objects.key-deleted"
    USER_DELETED = "objects.user-deleted"
    SNAPSHOT_STORED = "objects.snapshot-stored"
    VAULT_POLICY_PUT = "openbao.policy-put"
    VAULT_ROLE_PUT = "openbao.role-put"
    VAULT_ROLE_DELETED = "openbao.role-deleted"
    VAULT_POLICY_DELETED = "openbao.policy-deleted"
    RAIL_REGISTERED = "rail.registered"
    RAIL_DEREGISTERED = "rail.deregistered"
    PARTICIPANT_REMOVED = "rail.participant-removed"
    VAULT_EMPTIED = "openbao.emptied"
    CACHE_USER_PUT = "valkey.user-put"
    CACHE_USER_DELETED = "valkey.user-deleted"
    CACHE_EMPTIED = "valkey.emptied"

    @property
    def backend(self) -> str:
        return self.value.partition(".")[0]


_NOTED: ContextVar[set[Write] | None] = ContextVar("noted", default=None)


@contextmanager
def noted() -> Iterator[set[Write]]:
    """Those writes to backing servers that were made within, by this task and by those it started."""
    made: set[Write] = set()
    token = _NOTED.set(made)
    try:
        yield made
    finally:
        _NOTED.reset(token)


class Fence(Protocol):
    """Says whether this process may write."""

    def check(self) -> None:
        """Raise LeadershipLost unless the Lease is surely held right now. Costs a clock reading."""

    async def confirm(self) -> None:
        """Raise LeadershipLost unless the API server, too, names this process as holder."""


class Gate:
    """Through which every write goes."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    @property
    def check(self) -> Callable[[], None]:
        """To be called again by the code that is about to put bytes on the wire."""
        return self._fence.check

    @asynccontextmanager
    async def kubernetes(self, write: Write, kind: str = "") -> AsyncIterator[None]:
        """A write to the API server, of an object of this kind: the client itself checks the fence as it sends."""
        self._fence.check()
        yield
        _done(write)
        if kind:
            failpoints.hit(f"operator.{write.value}.{kind}")

    @asynccontextmanager
    async def external(self, write: Write) -> AsyncIterator[None]:
        """A write to a server that knows nothing of the Lease: the API server is asked first."""
        await self._fence.confirm()
        failpoints.hit(f"operator.{write.value}.allowed")
        self._fence.check()
        yield
        made = _NOTED.get()
        if made is not None:
            made.add(write)
        _done(write)


def _done(write: Write) -> None:
    metrics.WRITES.labels(write.backend, write.value.partition(".")[2]).inc()
    failpoints.hit(f"operator.{write.value}")
