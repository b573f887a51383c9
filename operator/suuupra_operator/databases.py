"""PostgreSQL, thinly: one connection for the bulk read and for what `catalog` says must be said. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

from suuupra.connecting import connected
from suuupra_operator import catalog as catalogs
from suuupra_operator import metrics
from suuupra_operator.catalog import Catalog, Names, Statement
from suuupra_operator.errors import Permanent, Unreachable
from suuupra_operator.writes import Gate, Write

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 20
IDLE_SECONDS = 10
"""A replica that is frozen inside a transaction must not hold its locks against the one that takes over."""
READ_SECONDS = 10
AFTER_PASSWORD = (
    "permission denied for database",
    "is not currently accepting connections",
    "too many connections for",
)
"""Of a role or a database: what is said to those only whose password is right."""
WRITE_SECONDS = STATEMENT_SECONDS + 5
"""Ours, beside the server's own limit: a server that is frozen answers keepalives and nothing else."""


@dataclass(frozen=True)
class Server:
    """Address and administrator's account."""

    host: str
    port: int
    user: str
    password: str
    ssl_mode: str

    def conninfo(self, database: str) -> str:
        return psycopg.conninfo.make_conninfo(self.address(database), password=self.password)

    def address(self, database: str) -> str:
        """How to get there, without the password: fit for a command line."""
        return psycopg.conninfo.make_conninfo(
            host=self.host,
            port=self.port,
            user=self.user,
            dbname=database,
            sslmode=self.ssl_mode,
            connect_timeout=CONNECT_SECONDS,
            application_name="suuupra-operator",
            options=f"-c statement_timeout={STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout={IDLE_SECONDS}s",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=2,
        )


@contextmanager
def answered_within(seconds: float, connection: psycopg.AsyncConnection[Any]) -> Iterator[None]:
    """Hang up on a server that is still silent after ``seconds``, and raise TimeoutError.

    Not by cancelling: psycopg then asks the server to stop and waits for it, ten seconds more where it is frozen.
    """
    late = asyncio.Event()

    def hang_up() -> None:
        late.set()
        if not connection.closed:
            # The server may have hung up itself just now, which is as good.
            with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(seconds, hang_up)
    try:
        yield
    except psycopg.Error as error:
        if late.is_set():
            raise TimeoutError(f"no answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()


async def _connect(server: Server, database: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """A connection that commits by itself."""
    return await connected(psycopg.AsyncConnection, server.conninfo(database), autocommit=True)


class Databases:
    """The platform's PostgreSQL."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._server: Server | None = None
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._superuser = False
        self._lock = asyncio.Lock()
        self.catalog: Catalog | None = None
        """The last bulk read; None while the server does not answer."""
        self.problem = "not asked yet"

    async def configure(self, server: Server | None) -> None:
        """Use this server from now on."""
        if server != self._server:
            async with self._lock:
                await self._disconnect()
                self._server, self.catalog = server, None

    async def close(self) -> None:
        async with self._lock:
            await self._disconnect()

    async def refresh(self) -> bool:
        """Read everything once; False, with `problem` saying why, when the server does not answer."""
        try:
            async with self._lock:
                await self._read()
        except (psycopg.Error, OSError, TimeoutError, Unreachable) as error:
            self._failed(error)
        metrics.BACKEND_UP.labels("postgres").set(self.catalog is not None)
        return self.catalog is not None

    @property
    def probes(self) -> bool:
        """Whether a changed password can be found by nothing but a login."""
        return self.catalog is not None and not self._superuser

    def known(self) -> Catalog:
        """The last bulk read, or Unreachable."""
        if self.catalog is None:
            raise Unreachable("PostgreSQL", self.problem)
        return self.catalog

    async def run(self, write: Write, statements: Sequence[Statement], *, database: str = "") -> None:
        """Run ``statements`` in one transaction and read the catalog again."""
        if not statements:
            return
        await self._writing(write, statements, database, transaction=True)

    async def create_database(self, name: str, names: Names) -> None:
        """CREATE DATABASE; cannot be in a transaction. The administrator needs the owner's membership unless it is a
        superuser (PostgreSQL 16 no longer implies it)."""
        if not self._superuser:
            grant = sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(names.owner))
            await self._writing(Write.ROLES, [grant], "", transaction=True)
        create = sql.SQL("CREATE DATABASE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(names.owner)
        )
        await self._writing(Write.DATABASE_CREATED, [create], "", transaction=False)

    async def drop_database(self, name: str) -> None:
        """DROP DATABASE, sessions and all. Already gone is fine."""
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        await self._writing(Write.DATABASE_DROPPED, [drop], "", transaction=False)

    async def drop_roles(self, names: Names) -> None:
        statements = [sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)) for role in names.all]
        await self._writing(Write.ROLES_DROPPED, statements, "", transaction=True)

    async def may_log_in(self, database: str, login: str, password: str) -> bool:
        """Login probe, for servers whose verifiers cannot be read."""
        server = self._known_server()
        probe = Server(server.host, server.port, login, password, server.ssl_mode)
        try:
            async with await _connect(probe, database):
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            if any(words in str(error) for words in AFTER_PASSWORD):
                return True
            raise Unreachable("PostgreSQL", error) from error

    @property
    def server(self) -> Server:
        return self._known_server()

    async def _writing(
        self, write: Write, statements: Sequence[Statement], database: str, *, transaction: bool
    ) -> None:
        async with self._lock:
            try:
                async with self._gate.external(write):
                    if database:
                        await self._elsewhere(database, statements)
                    else:
                        await self._execute(await self._connected(), statements, transaction=transaction)
                await self._read()
            except (psycopg.OperationalError, OSError, TimeoutError) as error:
                self._failed(error)
                raise Unreachable("PostgreSQL", error) from error
            except psycopg.Error as error:
                await self._disconnect()
                raise Permanent(f"PostgreSQL refused {write.value}: {error}") from error

    async def _elsewhere(self, database: str, statements: Sequence[Statement]) -> None:
        """In a database of a service, over a connection of its own."""
        async with await _connect(self._known_server(), database) as connection:
            await self._execute(connection, statements, transaction=True)

    async def _execute(
        self,
        connection: psycopg.AsyncConnection[tuple[object, ...]],
        statements: Sequence[Statement],
        *,
        transaction: bool,
    ) -> None:
        self._gate.check()
        with answered_within(WRITE_SECONDS, connection):
            if not transaction:
                for statement in statements:
                    await connection.execute(statement)
                return
            async with connection.transaction():
                for statement in statements:
                    await connection.execute(statement)
                self._gate.check()

    async def _read(self) -> None:
        connection = await self._connected()
        with answered_within(READ_SECONDS, connection):
            async with connection.cursor(row_factory=scalar_row) as cursor:
                await cursor.execute(catalogs.read(verifiers=self._superuser))
                row: dict[str, Any] | None = await cursor.fetchone()
        self.catalog, self.problem = Catalog.of(row or {"roles": [], "databases": []}), ""

    async def _connected(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        if self._connection is None or self._connection.closed:
            connection = await _connect(self._known_server(), "postgres")
            with answered_within(READ_SECONDS, connection):
                cursor = await connection.execute(
                    "select rolsuper from pg_roles where rolname = current_user"
                )
                row = await cursor.fetchone()
            self._superuser, self._connection = bool(row and row[0]), connection
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        self._connection = None

    def _failed(self, error: object) -> None:
        """The next use connects anew."""
        words = str(error).strip() or "no answer in time"
        self.catalog, self.problem, self._connection = None, words.splitlines()[0][:200], None

    def _known_server(self) -> Server:
        if self._server is None:
            raise Unreachable("PostgreSQL", self.problem)
        return self._server
