"""The backing servers together: configured from the platform, read in bulk, compared with what was read before."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suuupra_operator.buckets import Buckets, Contents, Store, user_of
from suuupra_operator.bus import Bus
from suuupra_operator.catalog import Catalog, Names
from suuupra_operator.claims import Claims
from suuupra_operator.cluster import Cluster
from suuupra_operator.conditions import Finding
from suuupra_operator.databases import Databases, Server
from suuupra_operator.desired.access import name_of
from suuupra_operator.desired.keyspace import User
from suuupra_operator.desired.topics import TopicState
from suuupra_operator.errors import ApiError, Permanent, Unreachable
from suuupra_operator.kinds import SECRET
from suuupra_operator.platform import SecretRef, SuuupraPlatformSpec
from suuupra_operator.queue import Key
from suuupra_operator.valkey import Administrator, Valkey
from suuupra_operator.vault import Account, Vault
from suuupra_operator.vault import Contents as Places

Seen = tuple[
    Catalog | None,
    Mapping[str, TopicState] | None,
    Contents | None,
    Places | None,
    Mapping[str, User] | None,
]


@dataclass
class Backends:
    """PostgreSQL, Kafka, the object store, the secret store and the Valkey of the platform."""

    cluster: Cluster
    databases: Databases
    bus: Bus
    store: Buckets
    vault: Vault
    valkey: Valkey
    _examined: Seen = (None, None, None, None, None)
    _written: set[Key] = field(default_factory=set)
    """Whose reconcile wrote to a server since the last comparison."""
    _problems: dict[str, str] = field(default_factory=dict)
    _reading: dict[Databases | Bus | Buckets | Vault | Valkey, asyncio.Task[bool]] = field(
        default_factory=dict
    )

    async def configure(self, spec: SuuupraPlatformSpec) -> None:
        """Point the clients at the platform's servers; admin Secrets are read anew each time."""
        self._problems.clear()
        postgres = await self._secret("postgres", spec.postgres.admin_secret_ref, "username", "password")
        server = spec.postgres
        await self.databases.configure(
            Server(server.host, server.port, postgres[0], postgres[1], server.ssl_mode) if postgres else None
        )
        await self.bus.configure(spec.kafka.bootstrap_servers)
        objects = await self._secret("objects", spec.objects.admin_secret_ref, "accessKey", "secretKey")
        await self.store.configure(
            Store(spec.objects.endpoint, spec.objects.region, objects[0], objects[1]) if objects else None
        )
        account = await self._account(spec)
        await self.vault.configure(
            account, self._problems.get("secrets", "the platform names no secret store")
        )
        administrator = await self._administrator(spec)
        await self.valkey.configure(
            administrator, self._problems.get("cache", "the platform names no Valkey")
        )

    async def _account(self, spec: SuuupraPlatformSpec) -> Account | None:
        if spec.secret_store is None:
            return None
        found = await self._secret("secrets", spec.secret_store.admin_secret_ref, "username", "password")
        return Account(spec.secret_store.address.rstrip("/"), *found) if found else None

    async def _administrator(self, spec: SuuupraPlatformSpec) -> Administrator | None:
        if spec.valkey is None:
            return None
        found = await self._secret("cache", spec.valkey.admin_secret_ref, "password")
        return Administrator(spec.valkey.host, spec.valkey.port, *found) if found else None

    async def refresh(self, within: float | None = None) -> None:
        """One bulk read per server, side by side.

        A server that needs more than ``within`` seconds is not waited for: what it says is taken in when it comes, and
        until then it is not asked again.
        """
        for server in (self.databases, self.bus, self.store, self.vault, self.valkey):
            reading = self._reading.get(server)
            if reading is None or reading.done():
                self._reading[server] = asyncio.create_task(server.refresh())
        done, _ = await asyncio.wait(self._reading.values(), timeout=within)
        for reading in done:
            reading.result()

    def findings(self) -> list[Finding]:
        """A condition per server."""
        found = [
            self._finding("PostgresReachable", "postgres", self.databases.catalog, self.databases.problem),
            self._finding("KafkaReachable", "kafka", self.bus.topics, self.bus.problem),
            self._finding("ObjectsReachable", "objects", self.store.contents, self.store.problem),
        ]
        if self.vault.wanted or "secrets" in self._problems:
            kept = self.vault.contents
            found.append(self._finding("SecretStoreReachable", "secrets", kept, self.vault.problem))
        if self.valkey.wanted or "cache" in self._problems:
            found.append(self._finding("CacheReachable", "cache", self.valkey.users, self.valkey.problem))
        return found

    def look_again(self, key: Key) -> None:
        """A reconcile of the key has written: `changed` names it once more, whatever the next read shows.

        What was put right and then changed again in the same way looks as it did at the read before. A reconcile that
        finds nothing to write is the end of it.
        """
        self._written.add(key)

    def changed(self, claims: Claims, users: Mapping[str, Key]) -> set[Key]:
        """Whose things differ from the last time this was asked, or were written to since; everybody's when a server
        came back.

        A password that the bulk read does not show is found by the login probe of a reconcile, each time anew.
        """
        catalog, topics, contents, secrets, cached = self._examined
        found, self._written = self._written, set()
        for name, key in claims.holders("database"):
            if self.databases.probes or _of_database(catalog, name) != _of_database(
                self.databases.catalog, name
            ):
                found.add(key)
        for name, key in claims.holders("topic"):
            if _get(topics, name) != _get(self.bus.topics, name):
                found.add(key)
        for name, key in claims.holders("bucket"):
            if _has(contents, name) != _has(self.store.contents, name):
                found.add(key)
        for name, key in claims.holders("secrets"):
            if _place(secrets, name) != _place(self.vault.contents, name):
                found.add(key)
        for name, key in claims.holders("cache"):
            if _get(cached, name) != _get(self.valkey.users, name):
                found.add(key)
        for user, key in users.items():
            if _user(contents, user) != _user(self.store.contents, user):
                found.add(key)
        self._examined = self._seen()
        return found

    def recovered(self) -> bool:
        """Whether a server that did not answer when last examined does now."""
        return any(
            before is None and after is not None
            for before, after in zip(self._examined, self._seen(), strict=True)
        )

    def _seen(self) -> Seen:
        return (
            self.databases.catalog,
            self.bus.topics,
            self.store.contents,
            self.vault.contents,
            self.valkey.users,
        )

    async def close(self) -> None:
        await self.databases.close()
        await self.vault.close()
        await self.valkey.close()

    async def _secret(self, server: str, ref: SecretRef, *keys: str) -> tuple[str, ...] | None:
        where = f"Secret {ref.namespace}/{ref.name}"
        try:
            secret = await self.cluster.get(SECRET, ref.name, ref.namespace)
        except (ApiError, Unreachable) as error:
            self._problems[server] = f"{where} cannot be read: {error}"
            return None
        data = (secret or {}).get("data", {})
        missing = [key for key in keys if key not in data]
        if missing:
            self._problems[server] = f"{where} has no {' and no '.join(missing)}"
            return None
        return tuple(base64.b64decode(data[key]).decode() for key in keys)

    def _finding(self, kind: str, server: str, contents: object, problem: str) -> Finding:
        problem = self._problems.get(server, problem)
        if contents is not None:
            return Finding(kind, True, "Reachable", "answers")
        return Finding(kind, False, "Unreachable", problem)


def _of_database(catalog: Catalog | None, database: str) -> Any:
    if catalog is None:
        return None
    return catalog.databases.get(database), tuple(catalog.roles.get(role) for role in Names(database).all)


def _get(read: Mapping[str, Any] | None, name: str) -> Any:
    return None if read is None else (read.get(name),)


def _has(contents: Contents | None, bucket: str) -> bool | None:
    return None if contents is None else bucket in contents.buckets


def _user(contents: Contents | None, user: str) -> Any:
    return None if contents is None else (contents.users.get(user),)


def _place(contents: Places | None, name: str) -> Any:
    called = name_of(name)
    return None if contents is None else (contents.policies.get(called), contents.roles.get(called))


def users(keys: Mapping[Key, Any]) -> dict[str, Key]:
    """The object-store user of each resource."""
    return {user_of(key.namespace, key.name): key for key in keys if key.namespace}


def require(value: SuuupraPlatformSpec | None) -> SuuupraPlatformSpec:
    """The platform, or a refusal that says how to get one."""
    if value is None:
        raise Permanent("there is no SuuupraPlatform named suuupra: kubectl apply -f manifests/platform.yaml")
    return value
