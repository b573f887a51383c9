"""The real services in this process, each with a database of its own, one public host before identity and web.

Kafka is played by `carry`, which takes what waits in the outboxes to whoever consumes it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.web.app import create_app
from services.web.settings import Settings
from services.web.tests.conftest import BROWSER, ORIGIN, given
from services.web.tests.switchboard import Switchboard
from suuupra import discovery
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.events import Event, Meta
from suuupra.migrations import Schema
from suuupra.secrets_store import SecretsStore
from suuupra.testing.objects import ACCESS_KEY, SECRET_KEY, ObjectsServer
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.secrets import MemorySecrets

PASSWORD = "a few words in a row"
RAIL = {
    "kind": "upi",
    "url": "http://upi-core:8000",
    "participants": [{"code": "asha", "name": "Asha Bank"}],
    "rulebook": {"scale": 1},
}
PUBLISHING = ("identity", "content", "commerce", "payments")
CONSUMING = ("commerce", "content", "payments", "notifications", "ledger")


class PublicHost(httpx.AsyncBaseTransport):
    """What the gateway does with a path, as far as people's browsers need it."""

    def __init__(self, identity: FastAPI, web: FastAPI) -> None:
        self._identity, self._web = httpx.ASGITransport(identity), httpx.ASGITransport(web)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Identity's paths to identity, all others to web."""
        path = request.url.path
        own = path.startswith(("/oauth/", "/account/", "/.well-known/"))
        return await (self._identity if own else self._web).handle_async_request(request)


@dataclass
class Platform:
    """Everything, running."""

    clock: FakeClock
    host: PublicHost
    network: Switchboard
    apps: dict[str, FastAPI]
    databases: dict[str, Database]
    settings: dict[str, Any]
    more: Callable[..., Any]
    """`more("ledger", …)`: settings of a further service that trusts the same issuer."""
    hop_seconds: float = 0.0
    """What an event takes on its way, of the test's clock."""
    carried: set[tuple[str, UUID]] = field(default_factory=set)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx.AsyncClient]:
        """A browser that follows redirects, as browsers do."""
        headers = {**BROWSER, "Sec-Fetch-Site": "same-origin"}
        async with httpx.AsyncClient(
            transport=self.host, base_url=ORIGIN, headers=headers, follow_redirects=True
        ) as client:
            yield client

    async def person(self, email: str, name: str, *roles: str) -> None:
        """Somebody with a verified account."""
        signing_up = importlib.import_module("services.identity.usecases.signing_up")
        rules = importlib.import_module("services.identity.domain.accounts")
        argon2 = importlib.import_module("argon2")
        hashed = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
        async with self.databases["identity"].transaction() as tx:
            await signing_up.create_verified(
                tx, email=email, name=name, locale="en", roles=rules.roles_of(roles), password_hash=hashed,
                now=self.clock.now(),
            )  # fmt: skip

    async def carry(self) -> None:
        """Take every event that waits to every service that consumes it, until none waits."""
        while any([await self._carry_from(source) for source in PUBLISHING]):
            pass

    async def _carry_from(self, source: str) -> bool:
        async with self.databases[source].reading() as tx:
            rows = (await tx.execute(text("SELECT * FROM outbox ORDER BY position"))).all()
        new = [row for row in rows if (source, row.id) not in self.carried]
        for row in new:
            self.carried.add((source, row.id))
            for name in CONSUMING:
                if name in self.apps:
                    await self._hand(name, source, row)
        return bool(new)

    async def _hand(self, name: str, source: str, row: Any) -> None:
        meta = Meta(
            id=row.id, type=row.type, version=row.version, source=f"/services/{source}", subject=row.aggregate_id,
            sequence=row.sequence, after=row.after, time=row.occurred_at, traceparent=row.traceparent,
            topic=row.type, partition=0, offset=0,
        )  # fmt: skip
        data = row.data if isinstance(row.data, str) else json.dumps(row.data)
        await self.tell(name, row.type, data, meta)

    async def tell(self, name: str, type_: str, data: str, meta: Meta) -> None:
        """Hand one event to one service."""
        self.clock.advance(self.hop_seconds)
        consumers = importlib.import_module(f"services.{name}.consumers").consumers
        clocked = {"clock": self.clock} if "clock" in consumers.__code__.co_varnames[:2] else {}
        for subscription in consumers(self.settings[name], **clocked):
            if subscription.event.type == type_:
                event: Event = subscription.event.model_validate_json(data)
                async with self.databases[name].transaction() as tx:
                    await subscription.handle(tx, [(event, meta)])


def _app(name: str, settings: Any, **given_: Any) -> FastAPI:
    created: FastAPI = importlib.import_module(f"services.{name}.app").create_app(settings, **given_)
    return created


@asynccontextmanager
async def platform(postgres: PostgresServer, objects: ObjectsServer) -> AsyncIterator[Platform]:
    """The platform, until the block ends."""
    clock = FakeClock()
    names = ("identity", "content", "commerce", "payments", "notifications", "web")
    bases = {name: postgres.create(Schema.of(name)) for name in names}
    urls = {name: postgres.url(base) for name, base in bases.items()}
    kept = MemorySecrets()
    network = Switchboard({})
    async with AsyncExitStack() as stack:
        for base in bases.values():
            stack.callback(postgres.drop, base)
        databases = {name: Database(url, application="test", pool_size=3) for name, url in urls.items()}
        for database in databases.values():
            stack.push_async_callback(database.close)

        def settings(name: str, /, **more: Any) -> Any:
            common: dict[str, Any] = {
                "service": name, "public_url": ORIGIN, "database_url": urls.get(name), "database_pool_size": 5,
                "kafka_bootstrap": "127.0.0.1:9", "openbao_url": "http://openbao:8200", "openbao_token": "none",
                "smtp_host": "127.0.0.1", "issuer": ORIGIN, "audience": "suuupra",
            }  # fmt: skip
            return discovery.find(name).settings()(**{**common, **more})

        cheap = {"password_memory_kib": 1024, "password_passes": 1}
        identity = _app("identity", settings("identity", **cheap), secrets=SecretsStore(kept), clock=clock)
        await stack.enter_async_context(identity.router.lifespan_context(identity))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(identity), base_url=ORIGIN) as asker:
            jwks = json.dumps((await asker.get("/.well-known/jwks.json")).json())
        files = {
            "objects_endpoint": objects.endpoint, "objects_access_key": ACCESS_KEY,
            "objects_secret_key": SECRET_KEY, "buckets": {"media": objects.bucket().bucket},
        }  # fmt: skip
        keys = importlib.import_module("services.payments.clients.keys")
        told = {
            "content": settings("content", jwks=jwks, **files),
            "commerce": settings("commerce", jwks=jwks),
            "payments": settings("payments", jwks=jwks, keys=json.dumps(keys.text_of(keys.new_ring()))),
            "notifications": settings("notifications", jwks=jwks),
        }
        clocked: dict[str, dict[str, Any]] = {
            "commerce": {"clock": clock},
            "payments": {"clock": clock, "switches": network},
        }
        apps = {name: _app(name, one, **clocked.get(name, {})) for name, one in told.items()}
        for app in apps.values():
            judge_by(app, clock)
            await stack.enter_async_context(app.router.lifespan_context(app))
        apps["identity"] = identity
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(apps["payments"]), base_url=ORIGIN
        ) as operator:
            assert (await operator.put("/internal/v1/rails/upi", json=RAIL)).is_success
        network.services |= {name: httpx.ASGITransport(app) for name, app in apps.items()}
        own = Settings(**given(database_url=urls["web"], client_secret=None))
        web = create_app(own, transport=network, clock=clock, secrets=SecretsStore(kept))
        await stack.enter_async_context(web.router.lifespan_context(web))
        further = partial(settings, jwks=jwks)
        yield Platform(clock, PublicHost(identity, web), network, apps, databases, told, further)


def judge_by(app: FastAPI, clock: FakeClock) -> None:
    """Let a service without a clock of its own judge tokens by the clock that they were made by."""
    auth = importlib.import_module("suuupra.auth")
    found = app.state.resources.find(auth.Authenticator)
    if found is not None:
        found._verifier._clock = clock
