"""Schemas move forward under a lock; a pod waits for the schema it needs."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from suuupra.db import Database
from suuupra.migrations import Schema, SchemaOutdated, Status, pending_sql, status
from suuupra.testing.postgres import OWNER, PostgresServer

FIRST = """
from alembic import op
revision = "0001"
down_revision = None
def upgrade():
    op.execute("CREATE TABLE course (id uuid PRIMARY KEY)")
"""
SECOND = """
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    op.execute("ALTER TABLE course ADD COLUMN title text")
"""
WRONG = SECOND.replace("ALTER TABLE course", "CREATE TABLE half (id int); ALTER TABLE absent")


def versions(folder: Path, *texts: str) -> Schema:
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(texts, start=1):
        (folder / f"{number:04}_version.py").write_text(content)
    return Schema(folder)


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    """A database that has not been migrated."""
    name = postgres.create(None)
    yield name
    postgres.drop(name)


pytestmark = pytest.mark.integration


def test_an_empty_database_is_brought_to_the_head_and_owned_by_the_owner(
    postgres: PostgresServer, empty: str, tmp_path: Path
) -> None:
    schema = versions(tmp_path, FIRST, SECOND)
    done = schema.migrate(postgres.owner(empty))
    assert (done.before, done.after, done.applied) == (None, "0002", ("0001", "0002"))
    assert postgres.execute(empty, "SELECT tableowner FROM pg_tables WHERE tablename = 'course'") == [
        (OWNER,)
    ]


def test_migrating_again_does_nothing(postgres: PostgresServer, empty: str, tmp_path: Path) -> None:
    schema = versions(tmp_path, FIRST)
    schema.migrate(postgres.owner(empty))
    assert schema.migrate(postgres.owner(empty)).applied == ()
    assert schema.status(postgres.owner(empty)) == Status("0001", "0001", at_head=True)


def test_only_what_is_new_is_applied_and_can_be_shown_before(
    postgres: PostgresServer, empty: str, tmp_path: Path
) -> None:
    versions(tmp_path, FIRST).migrate(postgres.owner(empty))
    schema = versions(tmp_path, FIRST, SECOND)
    sql = schema.pending_sql(postgres.owner(empty))
    assert "ALTER TABLE course ADD COLUMN title text" in sql
    assert "CREATE TABLE course" not in sql
    assert schema.migrate(postgres.owner(empty)).applied == ("0002",)
    assert schema.pending_sql(postgres.owner(empty)) == ""


def test_a_migration_that_fails_leaves_nothing_of_itself(
    postgres: PostgresServer, empty: str, tmp_path: Path
) -> None:
    schema = versions(tmp_path, FIRST, WRONG)
    with pytest.raises(Exception, match='relation "absent" does not exist'):
        schema.migrate(postgres.owner(empty))
    assert schema.status(postgres.owner(empty)).current == "0001"
    assert postgres.execute(empty, "SELECT to_regclass('half')") == [(None,)]


def test_two_jobs_at_once_apply_each_version_once(
    postgres: PostgresServer, empty: str, tmp_path: Path
) -> None:
    versions(tmp_path, FIRST, SECOND)
    applied: list[str] = []

    def job() -> None:
        applied.extend(Schema(tmp_path).migrate(postgres.owner(empty)).applied)

    jobs = [threading.Thread(target=job) for _ in range(3)]
    for one in jobs:
        one.start()
    for one in jobs:
        one.join()
    assert sorted(applied) == ["0001", "0002"]


async def test_a_pod_is_not_ready_on_an_older_schema_and_is_on_a_newer_one(
    postgres: PostgresServer, empty: str, tmp_path: Path
) -> None:
    old, new = versions(tmp_path / "old", FIRST), versions(tmp_path / "new", FIRST, SECOND)
    old_pod = Database(postgres.url(empty), application="old", schema=old)
    new_pod = Database(postgres.url(empty), application="new", schema=new)
    with pytest.raises(SchemaOutdated, match="at nothing, this version needs 0001"):
        await old_pod.check()
    old.migrate(postgres.owner(empty))
    await old_pod.check()
    with pytest.raises(SchemaOutdated, match="at 0001, this version needs 0002: wait for the migration"):
        await new_pod.check()
    new.migrate(postgres.owner(empty))
    await new_pod.check()
    await old_pod.check()
    for pod in (old_pod, new_pod):
        await pod.close()


def test_a_service_without_migrations_is_at_its_head(postgres: PostgresServer, empty: str) -> None:
    assert status(postgres.owner(empty), "api-gateway").at_head
    assert pending_sql(postgres.owner(empty), "api-gateway") == ""
