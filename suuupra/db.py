"""PostgreSQL: one bounded pool per process, one transaction per use case.

A use case opens the transaction, everything below it only takes part:

    async with database.transaction() as tx:
        course = await store.load(tx, course_id)
        ...
        await outbox.append(tx, course.id, CoursePublished(...))

When PostgreSQL is away the caller gets `DatabaseUnavailable` (503 with Retry-After) within about a second, never a
hang; when it is back the pool heals itself, because each connection is tried before it is handed out. When it is
there and every connection of the pool is in use, that is `DatabaseBusy`: the same answer to a caller, and no outage to
a task of ours, which comes again soon.

What PostgreSQL refuses comes as `ValueRefused` (422), `ConstraintBroken` (409) or `StatementFailed`, none of which
quotes a row; `conflict` gives a constraint a problem of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Final, NoReturn, Protocol, Self, TypeVar, cast

from psycopg import AsyncConnection, sql
from psycopg import OperationalError as PsycopgLost
from pydantic import SecretStr
from sqlalchemy import URL, QueuePool, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSessionTransaction, create_async_engine
from sqlalchemy.ext.asyncio import AsyncSession as OrmAsyncSession
from sqlalchemy.orm import Session as OrmSession
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from suuupra import refusals
from suuupra.connecting import OPTIONS, PromptConnection, connected, unless_trusted
from suuupra.errors import Unavailable
from suuupra.migrations import Schema
from suuupra.refusals import ConstraintBroken as ConstraintBroken
from suuupra.refusals import StatementFailed as StatementFailed
from suuupra.refusals import ValueRefused as ValueRefused
from suuupra.refusals import conflict as conflict

STATEMENT_LIMIT: Final = timedelta(seconds=5)
ACQUIRE_LIMIT: Final = timedelta(seconds=1)
TRANSACTION_LIMIT: Final = timedelta(seconds=15)
LATELY: Final = timedelta(seconds=2)
"""For how long a PostgreSQL that answered a statement counts as there, while no connection is free to ask it. Where
every statement takes longer, as when all wait for one lock, it counts as away."""


class DatabaseOfService(Protocol):
    """What is read of a service's settings."""

    @property
    def service(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def database_url(self) -> SecretStr: ...
    @property
    def database_pool_size(self) -> int: ...


class DatabaseUnavailable(Unavailable):
    """PostgreSQL cannot be reached, has no connection free, or did not answer in time."""

    slug: ClassVar[str] = "database-unavailable"
    title: ClassVar[str] = "The database is not available"


class DatabaseBusy(DatabaseUnavailable):
    """PostgreSQL answers, and every connection of the pool was in use for as long as one was waited for.

    Come again soon: nothing was done, and no outage is to be waited for with growing pauses.
    """

    slug: ClassVar[str] = "database-connections-in-use"
    title: ClassVar[str] = "Every connection to the database is in use"


class StatementEnded(DatabaseUnavailable):
    """PostgreSQL ended a statement that took too long, or two transactions stood in each other's way."""

    slug: ClassVar[str] = "database-busy"
    title: ClassVar[str] = "The database could not finish this in time"


class TransactionEndsOutside(TypeError):
    """A store or domain function tried to end the transaction that its use case opened."""


class _Session(Session):
    execute = OrmSession.execute  # SQLModel's own only adds a warning


class Transaction(AsyncSession):
    """The unit of work of one use case. Only `Database.transaction` begins and ends it.

    `exec` takes select() of table models, `execute` takes SQL written as text().
    """

    sync_session_class = _Session
    execute = OrmAsyncSession.execute

    def begin(self) -> NoReturn:
        """Refuse: the transaction is already open."""
        raise TransactionEndsOutside("the transaction is open already: use begin_nested() for a savepoint")

    async def commit(self) -> NoReturn:
        """Refuse: leaving `Database.transaction()` commits."""
        raise TransactionEndsOutside("do not commit: leaving database.transaction() does")

    async def rollback(self) -> NoReturn:
        """Refuse: an exception that leaves `Database.transaction()` rolls back."""
        raise TransactionEndsOutside("do not roll back: raise, and database.transaction() does")

    def when_committed(self, call: Callable[[], object]) -> None:
        """Call it once this has committed, before any other task runs; never when it is rolled back.

        It must not raise: what it would undo has happened. Not for inside a savepoint, which may be rolled back alone.
        """
        if self.in_nested_transaction():
            raise TransactionEndsOutside(
                "ask for it outside of the savepoint, which may be rolled back by itself"
            )

        def committed(session: OrmSession) -> None:
            if not session.in_nested_transaction():  # else it is a savepoint that was released
                call()

        event.listen(self.sync_session, "after_commit", committed)

    def _opened(self) -> AsyncSessionTransaction:
        return super().begin()


class Reading(Transaction):
    """Statements outside a transaction, each with a snapshot of its own; it refuses to flush changes."""

    async def flush(self, objects: Any = None) -> None:
        """Refuse changes: they would be committed one by one."""
        if self.new or self.dirty or self.deleted:
            raise TransactionEndsOutside("database.reading() cannot save: use database.transaction()")


_Unit = TypeVar("_Unit", bound=Transaction)


class Database:
    """A pool of connections to the service's own database. Nothing connects before the first use."""

    name = "postgres"

    def __init__(
        self,
        url: str | SecretStr,
        *,
        application: str,
        pool_size: int = 10,
        statement_limit: timedelta = STATEMENT_LIMIT,
        acquire_limit: timedelta = ACQUIRE_LIMIT,
        schema: Schema | None = None,
    ) -> None:
        self.pool_size = pool_size
        self._application = application
        self._schema = schema
        self._acquire_seconds = acquire_limit.total_seconds()
        self._engine = _engine(_async_url(url), application, pool_size, statement_limit, acquire_limit)
        self._closed = False
        self._answered_at = float("-inf")
        """When PostgreSQL last answered, by the event loop's clock."""
        self._revision: _Revision | None = None
        event.listen(self._engine.sync_engine, "checkin", self._given_back)
        event.listen(self._engine.sync_engine, "after_cursor_execute", self._heard)

    @classmethod
    def of(cls, settings: DatabaseOfService) -> Self:
        """The database of a service; `check` then also demands the schema that the service's code needs."""
        return cls(
            settings.database_url,
            application=settings.name,
            pool_size=settings.database_pool_size,
            schema=Schema.of(settings.service),
        )

    @asynccontextmanager
    async def transaction(self, *, limit: timedelta = TRANSACTION_LIMIT) -> AsyncIterator[Transaction]:
        """Begin; commit when the block ends; roll back when it raises. Longer than `limit`: StatementEnded."""
        async with self._guarded(Transaction(self._engine, expire_on_commit=False), limit) as tx:
            yield tx

    @asynccontextmanager
    async def reading(self, *, limit: timedelta = TRANSACTION_LIMIT) -> AsyncIterator[Reading]:
        """Plain reads without BEGIN and COMMIT, which saves two round trips. Two reads may see two states."""
        # Not an engine's option: that is set while the connection is made, and whoever is cancelled there loses it.
        options = {"isolation_level": "AUTOCOMMIT"}
        session = Reading(self._engine, execution_options=options, expire_on_commit=False, autoflush=False)
        async with self._guarded(session, limit) as tx:
            yield tx

    @asynccontextmanager
    async def _guarded(self, session: _Unit, limit: timedelta) -> AsyncIterator[_Unit]:
        scope = asyncio.timeout(self._acquire_seconds)
        phase = _Phase(scope, self._is_busy, queued=self._is_exhausted())
        with _translated(phase):
            async with scope, session, session._opened():
                await session.connection()
                phase.connected = True
                scope.reschedule(self._answered() + limit.total_seconds())
                yield session
            self._answered()

    def _answered(self) -> float:
        """Note that PostgreSQL did so now; when that is."""
        self._answered_at = asyncio.get_running_loop().time()
        return self._answered_at

    def _heard(self, *_of_a_statement: object) -> None:
        self._answered()

    def _is_exhausted(self) -> bool:
        return cast(QueuePool, self._engine.pool).checkedout() >= self.pool_size

    def _is_busy(self, queued: bool = False) -> bool:
        """Whether whoever has no connection, or `queued` for one, waits for others and not for PostgreSQL."""
        since = asyncio.get_running_loop().time() - LATELY.total_seconds()
        return self._answered_at >= since and (queued or self._is_exhausted())

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[AsyncIterator[str]]:
        """The payloads of NOTIFY on `channel`, on a connection beside the pool; DatabaseUnavailable when it is lost."""
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with _lost_connection():
            connection = await connected(
                AsyncConnection,
                url,
                autocommit=True,
                application_name=f"{self._application}-listen",
                **OPTIONS,
            )
            async with connection:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                yield _notes(connection)

    async def open(self) -> None:
        """Nothing: the pool fills on demand, so that a pod can start while PostgreSQL is away."""
        self._closed = False

    async def close(self) -> None:
        """Close every pooled connection; one that is still at work is closed when its unit of work ends."""
        self._closed = True
        await self._engine.dispose()

    def _given_back(self, _connection: Any, record: Any) -> None:
        """A pool that was disposed of would keep what comes back to it until the garbage collector finds both."""
        if self._closed and record.driver_connection is not None:
            record.driver_connection.pgconn.finish()

    async def check(self) -> None:
        """Raise DatabaseUnavailable unless a statement works now, SchemaOutdated while a migration is due.

        While all connections are in use and PostgreSQL answers those who have one, nothing is asked: what was last
        known of the schema holds. To wait in line with them would make a process that works look unwell.
        """
        if self._revision is None or not self._is_busy():
            try:
                async with self.reading(limit=ACQUIRE_LIMIT) as tx:
                    self._revision = await _revision(tx, self._schema)
            except DatabaseBusy:
                if self._revision is None:
                    raise
        if self._schema is not None:
            self._schema.require(self._revision.found)


@dataclass(frozen=True, slots=True)
class _Revision:
    """What the database said of its schema: the revision that alembic recorded; None where there was never one."""

    found: str | None


async def _revision(tx: Reading, schema: Schema | None) -> _Revision:
    """The revision, where a schema is needed; else the database is only asked whether it answers."""
    if schema is None:
        await tx.execute(text("SELECT 1"))
        return _Revision(None)
    if await tx.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return _Revision(None)
    return _Revision(await tx.scalar(text("SELECT version_num FROM alembic_version")))


def _async_url(url: str | SecretStr) -> URL:
    plain = url.get_secret_value() if isinstance(url, SecretStr) else url
    return make_url(plain).set(drivername="postgresql+psycopg")


@contextmanager
def _lost_connection() -> Iterator[None]:
    try:
        yield
    except PsycopgLost as error:
        raise DatabaseUnavailable("PostgreSQL cannot be reached.", headers=_SOON) from error


async def _notes(connection: AsyncConnection[Any]) -> AsyncIterator[str]:
    with _lost_connection():
        async for note in connection.notifies():
            yield note.payload


def _engine(
    url: URL, application: str, pool_size: int, statement_limit: timedelta, acquire_limit: timedelta
) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=acquire_limit.total_seconds(),
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text goes into logs and dead letters; learners' data does not
        connect_args={
            "async_creator_fn": partial(connected, PromptConnection),
            "application_name": application,
            "options": _server_limits(statement_limit),
            **OPTIONS,
        },
    )
    engine.dialect.do_ping = unless_trusted(engine.dialect.do_ping)  # type: ignore[assignment, method-assign]
    return engine


def _server_limits(statement_limit: timedelta) -> str:
    """The server's own limits, in ms: they also end what a client that vanished has left running."""
    statement = int(statement_limit.total_seconds() * 1000)
    idle = int(TRANSACTION_LIMIT.total_seconds() * 1000)
    return f"-c statement_timeout={statement} -c idle_in_transaction_session_timeout={idle} -c timezone=UTC"


_ENDED: Final = frozenset({"57014", "55P03", "40001", "40P01"})
"""SQLSTATEs of one statement's bad luck: cancelled by a limit, lock not available, serialisation, deadlock."""
_OURS: Final = "54"
"""A limit of the program, such as a row too long for its index: psycopg calls it operational, and no wait mends it."""


@dataclass(slots=True)
class _Phase:
    """How far a unit of work has come, which decides what running out of time means."""

    scope: asyncio.Timeout
    is_busy: Callable[[bool], bool]
    queued: bool
    """Whether every connection was in use when one was asked for."""
    connected: bool = False

    def no_connection(self, otherwise: str) -> DatabaseUnavailable:
        """What it means that none could be had in time."""
        if self.is_busy(self.queued):
            return DatabaseBusy("Every database connection is in use.", headers=_SOON)
        return DatabaseUnavailable(otherwise, headers=_SOON)


@contextmanager
def _translated(phase: _Phase) -> Iterator[None]:
    """Turn the ways in which a server is away into the errors that callers know."""
    try:
        yield
    except TimeoutError as error:
        if not phase.scope.expired():
            raise
        if phase.connected:
            raise StatementEnded("The transaction took too long.", headers=_SOON) from error
        raise phase.no_connection("PostgreSQL did not answer in time.") from error
    except PoolTimeout as error:
        raise phase.no_connection("PostgreSQL has answered nobody for a while.") from error
    except UnicodeEncodeError as error:  # psycopg's, of half a surrogate pair
        raise refusals.ValueRefused(error.reason).with_traceback(error.__traceback__) from None
    except DBAPIError as error:
        _raise_translated(error)


def _raise_translated(error: DBAPIError) -> NoReturn:
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in _ENDED:
        raise StatementEnded("PostgreSQL ended the statement.", headers=_SOON) from error
    if state[:2] != _OURS and (
        isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    ):
        raise DatabaseUnavailable("PostgreSQL cannot be reached.", headers=_SOON) from error
    # Not «from error»: its text quotes rows. The traceback stays, which says where it happened.
    raise refusals.of(error).with_traceback(error.__traceback__) from None


_SOON: Final = {"Retry-After": "1"}
