"""Find, run and check the migrations of one service."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from suuupra.errors import Unavailable
from suuupra.migrations import versions
from suuupra.names import folder_of

ADVISORY_LOCK: Final = 0x5355_5550_5241
"""The key of the session lock that one migrating process holds; any constant will do."""

QUEUE_LIMIT: Final = timedelta(minutes=10)
"""How long a second Job waits for the first."""

LOCK_LIMIT: Final = timedelta(seconds=5)
"""How long a migration waits for a table's lock, while requests queue behind it."""


AWAY_LIMIT: Final = timedelta(minutes=10)
"""How long a server that is away is waited for: less than a migration's Job may take."""

_log = logging.getLogger(__name__)


class NotConnected(Unavailable):
    """The database could not be reached, or refused the login."""

    slug, title = "not-connected", "The database cannot be reached"


class SchemaOutdated(Unavailable):
    """The database has not been migrated to what this code needs."""

    slug, title = "schema-outdated", "The database is being upgraded"


class OwnedDatabase(Protocol):
    """The part of DatabaseSettings that migrations read."""

    @property
    def database_url(self) -> SecretStr: ...
    @property
    def database_owner(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Status:
    """The revision a database is at, and the one that the code needs."""

    current: str | None
    head: str | None
    at_head: bool


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a run did: revisions before and after, and those applied, oldest first."""

    before: str | None
    after: str | None
    applied: tuple[str, ...]


class Schema:
    """The versions in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, service: str) -> "Schema | None":
        """The schema of services/<service>, or None when it has no migrations."""
        spec = find_spec(f"services.{folder_of(service)}")
        roots = list(spec.submodule_search_locations or ()) if spec else []
        folders = [Path(root) / "migrations" / "versions" for root in roots]
        return next((cls(folder) for folder in folders if folder.is_dir()), None)

    @cached_property
    def _versions(self) -> versions.Versions:
        return versions.read(self._folder)

    @cached_property
    def head(self) -> str:
        """The newest revision; LookupError without one, or with two."""
        try:
            return versions.head(self._versions)
        except LookupError as error:
            raise LookupError(f"{self._folder}: {error}") from error

    @property
    def revisions(self) -> frozenset[str]:
        """Every revision known to this code."""
        return frozenset(self._versions)

    def satisfied_by(self, current: str | None) -> bool:
        """Whether code with these versions can run on a database at `current`: at the head, or at a newer one."""
        return current == self.head or (current is not None and current not in self.revisions)

    def require(self, current: str | None) -> None:
        """Raise SchemaOutdated unless `satisfied_by(current)`."""
        if not self.satisfied_by(current):
            raise SchemaOutdated(
                f"the schema is at {current or 'nothing'}, this version needs {self.head}: wait for the migration"
            )

    def status(self, settings: OwnedDatabase) -> Status:
        """Where the database is."""
        with _connected(settings) as connection:
            current = _current(connection)
        return Status(current, self.head, self.satisfied_by(current))

    def migrate(self, settings: OwnedDatabase) -> Migrated:
        """Bring the database to the head; nothing is done when it is there or beyond."""
        with _connected(settings) as connection:
            _lock(connection)
            before = _current(connection)
            if self.satisfied_by(before):
                return Migrated(before, before, ())
            from suuupra.migrations import alembic_run  # noqa: PLC0415 - only a migration needs Alembic

            alembic_run.upgrade(self._folder, connection)
            after = _current(connection)
        return Migrated(before, after, alembic_run.between(self._folder, before))

    def pending_sql(self, settings: OwnedDatabase) -> str:
        """The SQL still to be run from the database's revision to the head; empty when there is none."""
        with _connected(settings) as connection:
            current = _current(connection)
        if self.satisfied_by(current):
            return ""
        from suuupra.migrations import alembic_run  # noqa: PLC0415 - only a migration needs Alembic

        return alembic_run.sql(self._folder, current)


def migrate(settings: OwnedDatabase, service: str) -> Migrated:
    """Migrate the service's database; a service without migrations has nothing to do."""
    schema = Schema.of(service)
    return schema.migrate(settings) if schema else Migrated(None, None, ())


def status(settings: OwnedDatabase, service: str) -> Status:
    """Whether the service's database is at the schema this code needs."""
    schema = Schema.of(service)
    return schema.status(settings) if schema else Status(None, None, at_head=True)


def pending_sql(settings: OwnedDatabase, service: str) -> str:
    """The SQL that `migrate` would run now."""
    schema = Schema.of(service)
    return schema.pending_sql(settings) if schema else ""


@contextmanager
def _connected(settings: OwnedDatabase) -> Iterator[Connection]:
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    arguments = {"connect_timeout": 5, "application_name": "migrate"}
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    with _reached(engine) as connection:
        if settings.database_owner:
            role = connection.dialect.identifier_preparer.quote(settings.database_owner)
            connection.execute(text(f"SET ROLE {role}"))
            connection.commit()
        yield connection


def _reached(engine: Engine) -> Connection:
    """A connection, once the server is there. Raises NotConnected where it refuses, or is away for `AWAY_LIMIT`."""
    until, told = time.monotonic() + AWAY_LIMIT.total_seconds(), False
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            words = " ".join(str(error.orig).split())
            if not _away(words) or time.monotonic() >= until:
                raise NotConnected(f"PostgreSQL at {engine.url.host} is not connected: {words}") from error
            if not told:
                _log.warning("waiting up to %s for PostgreSQL: %s", AWAY_LIMIT, words)
                told = True
            time.sleep(0.5)


def _away(words: str) -> bool:
    """Whether nobody answered, or a server that is just coming or going; what it refuses for good is FATAL as well."""
    return "FATAL" not in words or "the database system is" in words


def _lock(connection: Connection) -> None:
    """Wait for other migrating processes; the lock lives as long as the connection."""
    _set_lock_timeout(connection, QUEUE_LIMIT)
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    _set_lock_timeout(connection, LOCK_LIMIT)
    connection.commit()


def _set_lock_timeout(connection: Connection, limit: timedelta) -> None:
    connection.execute(
        text("SELECT set_config('lock_timeout', :limit, false)"), {"limit": f"{limit.total_seconds():.0f}s"}
    )


def _current(connection: Connection) -> str | None:
    """The revision that Alembic recorded, or None in a database that was never migrated."""
    known = connection.scalar(text("SELECT to_regclass('alembic_version')"))
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    connection.rollback()
    return found
