"""A PostgreSQL of the session, and databases that cost milliseconds: copies of a migrated template."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from suuupra.migrations import Schema
from suuupra.testing.containers import Container, docker

OWNER: Final = "service_owner"
LOGIN: Final = "service_login"
PASSWORD: Final = "a-test-password"  # noqa: S105 (of a server that lives for one test session)

_ROLES: Final = f"""
ALTER ROLE postgres PASSWORD '{PASSWORD}';
CREATE ROLE {OWNER} NOLOGIN;
CREATE ROLE service_app NOLOGIN;
CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}' IN ROLE service_app;
"""
_RIGHTS: Final = f"""
ALTER SCHEMA public OWNER TO {OWNER};
GRANT USAGE ON SCHEMA public TO service_app;
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO service_app;
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO service_app;
"""


@dataclass(frozen=True, slots=True)
class _Owner:
    """Settings of a migration, as the operator would give them to the Job."""

    database_url: SecretStr
    database_owner: str | None = OWNER


@dataclass(slots=True)
class PostgresServer:
    """The session's PostgreSQL, with the roles that the operator makes for a service."""

    container: Container
    _address: tuple[str, int]
    _templates: dict[Schema | None, str] = field(default_factory=dict)
    _kept: psycopg.Connection[Any] | None = None
    _dropper: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "drop"))
    _drops: list[Future[None]] = field(default_factory=list)

    @classmethod
    def start(cls, *, in_memory: bool = False, durable: bool = False) -> "PostgresServer":
        """Start it without durability, which no test of ours takes away from it, and wait until it answers.

        With its files `in_memory` a new database takes a tenth of the time, and a restart would lose them all. Who
        measures commits wants it `durable`: as the cluster runs it.
        """
        options = ["--tmpfs", "/run/postgresql:uid=65532", "--shm-size", "128m"]
        if in_memory:
            options += ["--tmpfs", "/data:uid=65532,gid=65532,mode=0700"]
        # What a password costs to guess is paid by every connection of every test, in the client.
        secrets = ("--env", f"POSTGRES_PASSWORD={PASSWORD}", "--env", "POSTGRES_SET_SCRAM_ITERATIONS=1")
        patience = ("--env", "POSTGRES_SET_AUTHENTICATION_TIMEOUT=10s")
        careless = ("FSYNC", "SYNCHRONOUS_COMMIT", "FULL_PAGE_WRITES")
        speed = () if durable else [it for name in careless for it in ("--env", f"POSTGRES_SET_{name}=off")]
        container = Container.run("postgres", 5432, *options, *secrets, *patience, *speed)
        server = cls(container, ("127.0.0.1", container.port))
        container.wait(lambda _: server.answers())
        if in_memory:  # nobody restarts it
            server._address = container.nearest(5432)
        server.execute("postgres", _ROLES)
        return server

    def answers(self) -> bool:
        """Whether it accepts a connection now."""
        try:
            with psycopg.connect(self.admin_url("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def admin_url(self, database: str) -> str:
        """The superuser's URL."""
        return self._url("postgres", database)

    def url(self, database: str) -> str:
        """The URL that a pod of the service would have."""
        return self._url(LOGIN, database)

    def owner(self, database: str) -> _Owner:
        """Settings of a migration of `database`."""
        return _Owner(SecretStr(self.admin_url(database)))

    def _url(self, user: str, database: str) -> str:
        host, port = self._address
        return f"postgresql://{user}:{PASSWORD}@{host}:{port}/{database}"

    def execute(self, database: str, statements: str | sql.Composed) -> list[Any]:
        """Run SQL as superuser outside a transaction; the rows of the last statement, if it has any."""
        with psycopg.connect(make_conninfo(self.admin_url(database)), autocommit=True) as connection:
            cursor = connection.execute(statements)
            return cursor.fetchall() if cursor.description else []

    def create(self, schema: Schema | None) -> str:
        """A new database migrated to the head of `schema`; its name."""
        return self.copy(self._template(schema))

    def copy(self, database: str) -> str:
        """A new database like one that nobody is connected to; its name."""
        name = f"test_{uuid4().hex[:12]}"
        self._copy(database, name)
        return name

    def drop(self, database: str) -> None:
        """Delete a database soon, whoever is still connected; what an earlier one failed with is raised now, once.

        Nobody waits for it: PostgreSQL itself waits for every process of its own, be it of another database, and one
        whose client was cancelled while it logged in says nothing until `authentication_timeout` has passed.
        """
        self._drops.append(self._dropper.submit(self._drop, database))
        while self._drops[0].done():
            self._drops.pop(0).result()
            if not self._drops:
                return

    def _drop(self, database: str) -> None:
        self.execute(
            "postgres", sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
        )

    def _finish_dropping(self) -> None:
        while self._drops:
            self._drops.pop(0).result()

    def stop(self) -> None:
        """Kill and delete it."""
        self._dropper.shutdown(wait=False, cancel_futures=True)
        self._let_go()
        self.container.remove()

    def restart(self) -> None:
        """Restart the server process as a node would, and wait until it answers again."""
        self._finish_dropping()
        self._let_go()
        docker("restart", "--time", "10", self.container.id)
        self.container.wait(lambda _: self.answers())

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._finish_dropping()
        self.container.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self.container.resume()

    def _template(self, schema: Schema | None) -> str:
        if schema not in self._templates:
            name = f"template_{len(self._templates)}_{int(time.time())}"
            self._copy("template1", name)
            self.execute(name, _RIGHTS)
            if schema is not None:
                schema.migrate(self.owner(name))
            self._templates[schema] = name
        return self._templates[schema]

    def _copy(self, template: str, name: str) -> None:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY")
        identifiers = (sql.Identifier(name), sql.Identifier(template), sql.Identifier(OWNER))
        self._administer(statement.format(*identifiers))

    def _let_go(self) -> None:
        if self._kept is not None:
            self._kept.close()

    def _administer(self, statement: sql.Composed) -> None:
        """Run a statement of the server's, on the connection that is kept for these."""
        if self._kept is None or self._kept.closed:
            self._kept = psycopg.connect(self.admin_url("postgres"), autocommit=True)
        self._kept.execute(statement)
