"""Alembic, on the versions of one folder. Only what migrates imports this: it is a fifth of a process's start."""

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(versions: Path, connection: Connection) -> None:
    """Bring the connection's database to the head."""
    command.upgrade(_config(versions, connection), "head")


def sql(versions: Path, since: str | None) -> str:
    """The SQL that leads from a revision to the head."""
    config = _config(versions)
    config.output_buffer = buffer = io.StringIO()
    command.upgrade(config, f"{since or 'base'}:head", sql=True)
    return buffer.getvalue()


def between(versions: Path, before: str | None) -> tuple[str, ...]:
    """The revisions after `before` up to the head, oldest first."""
    scripts = ScriptDirectory.from_config(_config(versions))
    steps = list(scripts.iterate_revisions("head", before or "base"))
    return tuple(script.revision for script in reversed(steps) if script.revision != before)


def _config(versions: Path, connection: Connection | None = None) -> Config:
    config = Config(stdout=io.StringIO(), attributes={"connection": connection})
    config.set_main_option("script_location", _option(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _option(versions))
    return config


def _option(path: Path) -> str:
    """A path as alembic's configuration wants it: per cent signs doubled."""
    return str(path).replace("%", "%%")
