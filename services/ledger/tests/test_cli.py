"""`python -m suuupra ledger …` as operators and auditors run it."""

import pytest
from typer.testing import CliRunner

from services.ledger import cli
from services.ledger.settings import Settings
from suuupra.secrets_store import SecretsStore
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.secrets import MemorySecrets

pytestmark = pytest.mark.integration


@pytest.fixture
def runner(
    ledger_settings: Settings, secrets_kept: MemorySecrets, monkeypatch: pytest.MonkeyPatch
) -> CliRunner:
    """The commands, with a pod's environment and secrets in memory."""
    monkeypatch.setattr(SecretsStore, "of", classmethod(lambda cls, _: cls(secrets_kept)))
    monkeypatch.setattr("services.ledger.cli.logs.configure", lambda *_: None)
    return CliRunner()


def post_one(postgres: PostgresServer, settings: Settings) -> None:
    import asyncio

    from services.ledger.domain.accounts import account_of, opening
    from services.ledger.usecases import posting
    from suuupra.clock import SystemClock
    from suuupra.db import Database
    from suuupra.ids import new_id

    async def post() -> None:
        database = Database.of(settings)
        async with database.transaction() as tx:
            account = account_of("assets:cash:INR", "Cash")
            begun = await posting.begin(tx, SystemClock(), [account.code])
            await posting.write(tx, begun, [opening(new_id(), account, begun.now)])
        await database.close()

    asyncio.run(post())


def test_verify_says_that_the_books_are_sound_and_names_a_row_that_is_not(
    runner: CliRunner, ledger_settings: Settings, postgres: PostgresServer, database_name: str
) -> None:
    assert "there is no journal" in runner.invoke(cli.app, ["checkpoint"]).output
    post_one(postgres, ledger_settings)
    signed = runner.invoke(cli.app, ["checkpoint"])
    assert signed.exit_code == 0, signed.output
    sound = runner.invoke(cli.app, ["verify"])
    assert sound.exit_code == 0, sound.output
    assert "1 journals, 0 entries, 1 checkpoints agree: sound" in sound.output
    postgres.execute(
        database_name,
        "SET session_replication_role = replica; UPDATE journal SET description = 'x' WHERE sequence = 1",
    )
    broken = runner.invoke(cli.app, ["verify", "--offline"])
    assert broken.exit_code == 1
    assert "bad: journal 1: is not as it was sealed" in broken.output


def test_a_checkpoint_kept_elsewhere_finds_a_ledger_that_began_anew(
    runner: CliRunner,
    ledger_settings: Settings,
    postgres: PostgresServer,
    database_name: str,
    tmp_path: object,
) -> None:
    from pathlib import Path

    post_one(postgres, ledger_settings)
    copy = Path(str(tmp_path)) / "kept.jws"
    copy.write_text(runner.invoke(cli.app, ["checkpoint"]).output)
    postgres.execute(
        database_name,
        "SET session_replication_role = replica; TRUNCATE journal, entry, tree_node, checkpoint, account;"
        "UPDATE head SET sequence = 0, frontier = '',"
        " hash = '\\x8dc98e6caffbe0661143c9651580ee1068c1251bd9d7cf0d74b68af10cdbee94'",
    )
    found = runner.invoke(cli.app, ["verify", "--checkpoint", str(copy)])
    assert found.exit_code == 1
    assert "bad: journal 1 to 1: is missing" in found.output


def test_rebuild_and_rotate_key_say_what_they_did(
    runner: CliRunner, ledger_settings: Settings, postgres: PostgresServer
) -> None:
    post_one(postgres, ledger_settings)
    assert "made anew of 1 journals" in runner.invoke(cli.app, ["rebuild"]).output
    assert "from the next start" in runner.invoke(cli.app, ["rotate-key"]).output
    assert runner.invoke(cli.app, ["verify"]).exit_code == 0
