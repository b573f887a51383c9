"""Find, run and check the migrations of one service."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from suuupra.errors import Unavailable
from suuupra.names import folder_of

ADVISORY_LOCK: Final = 0x5355_5550_5241
"""The key of the session lock that one migrating process holds; any constant will do."""

QUEUE_LIMIT: Final = timedelta(minutes=10)
"""How long a second Job waits for the first."""

LOCK_LIMIT: Final = timedelta(seconds=5)
"""How long a migration waits for a table's lock, while requests queue behind it."""


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

    def __init__(self, versions: Path) -> None:
        self._versions = versions

    @classmethod
    def of(cls, service: str) -> "Schema | None":
        """The schema of services/<service>, or None when it has no migrations."""
        spec = find_spec(f"services.{folder_of(service)}")
        roots = list(spec.submodule_search_locations or ()) if spec else []
        versions = [Path(root) / "migrations" / "versions" for root in roots]
        return next((cls(folder) for folder in versions if folder.is_dir()), None)

    @cached_property
    def _scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(self._config())

    @cached_property
    def head(self) -> str:
        """The newest revision; two heads are a mistake and alembic says so."""
        head = self._scripts.get_current_head()
        if head is None:
            raise LookupError(f"{self._versions} holds no version; add one or remove the folder")
        return head

    @cached_property
    def revisions(self) -> frozenset[str]:
        """Every revision known to this code."""
        return frozenset(script.revision for script in self._scripts.walk_revisions())

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
            command.upgrade(self._config(connection), "head")
            after = _current(connection)
        return Migrated(before, after, tuple(self._between(before)))

    def pending_sql(self, settings: OwnedDatabase) -> str:
        """The SQL still to be run from the database's revision to the head; empty when there is none."""
        with _connected(settings) as connection:
            current = _current(connection)
        if self.satisfied_by(current):
            return ""
        config = self._config()
        config.output_buffer = buffer = io.StringIO()
        command.upgrade(config, f"{current or 'base'}:head", sql=True)
        return buffer.getvalue()

    def _between(self, before: str | None) -> list[str]:
        steps = self._scripts.iterate_revisions(self.head, before or "base")
        return [script.revision for script in reversed(list(steps)) if script.revision != before]

    def _config(self, connection: Connection | None = None) -> Config:
        config = Config(stdout=io.StringIO(), attributes={"connection": connection})
        config.set_main_option("script_location", _option(Path(__file__).parent))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", _option(self._versions))
        return config


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


def _option(path: Path) -> str:
    """A path as alembic's configuration wants it: per cent signs doubled."""
    return str(path).replace("%", "%%")


@contextmanager
def _connected(settings: OwnedDatabase) -> Iterator[Connection]:
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    arguments = {"connect_timeout": 5, "application_name": "migrate"}
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    with engine.connect() as connection:
        if settings.database_owner:
            role = connection.dialect.identifier_preparer.quote(settings.database_owner)
            connection.execute(text(f"SET ROLE {role}"))
            connection.commit()
        yield connection


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
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    return current
