"""`python -m suuupra identity …`, on a real database."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from services.identity import cli
from services.identity.domain import jwts, keys
from services.identity.domain.clients import secret_hash
from services.identity.tests.browser import PASSWORD
from services.identity.tests.process import CHEAP
from suuupra import logs
from suuupra.db import Database
from suuupra.secrets_store import SecretsStore
from suuupra.testing.secrets import MemorySecrets

pytestmark = pytest.mark.integration

Run = Callable[..., Result]
Asked = Callable[[str], list[Any]]


@pytest.fixture
def run(database_url: str, secrets_kept: MemorySecrets, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("set-roles", …)` in an operator's shell inside the pod."""
    environment: Mapping[str, str] = {
        "SUUUPRA_DATABASE_URL": database_url,
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_OPENBAO_URL": "http://127.0.0.1:9",
        "SUUUPRA_OPENBAO_TOKEN": "unused",
        "SUUUPRA_SMTP_HOST": "127.0.0.1",
        "COLUMNS": "300",
        **CHEAP,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SecretsStore, "of", classmethod(lambda kind, _settings: kind(secrets_kept)))
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    return lambda *words, **said: CliRunner().invoke(cli.app, words, **said)


@pytest.fixture
def asked(database_url: str) -> Asked:
    """The rows of a query."""

    async def rows(query: str) -> list[Any]:
        database = Database(database_url, application="test", pool_size=1)
        async with database.reading() as tx:
            found = (await tx.execute(text(query))).all()
        await database.close()
        return [tuple(row) for row in found]

    return lambda query: asyncio.run(rows(query))


def created(run: Run, email: str = "asha@example.org", *more: str) -> str:
    done = run("create-user", email, "--name", "Asha Rao", *more, env={cli.PASSWORD_VARIABLE: PASSWORD})
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_an_operator_makes_an_account_that_is_verified_and_told(run: Run, asked: Asked) -> None:
    made = created(run, "asha@example.org", "--role", "creator", "--locale", "hi-IN")
    assert asked("SELECT id::text, email, locale, roles FROM account") == [
        (made, "asha@example.org", "hi-IN", ["learner", "creator"])
    ]
    ((event,),) = asked("SELECT data FROM outbox WHERE type = 'user.created'")
    assert (event["user_id"], event["roles"]) == (made, ["learner", "creator"])
    again = run("create-user", "ASHA@example.org", "--name", "B", env={cli.PASSWORD_VARIABLE: PASSWORD})
    assert (again.exit_code, "has an account" in again.output) == (1, True)
    assert created(run, "ASHA@example.org", "--keep") == made
    assert len(asked("SELECT FROM outbox")) == 1


@pytest.mark.parametrize(
    ("words", "password", "told"),
    [
        (("asha", "--name", "A"), PASSWORD, "EMAIL"),
        (("a@example.org", "--name", "a\nb"), PASSWORD, "--name"),
        (("a@example.org", "--name", "A", "--locale", "English"), PASSWORD, "--locale"),
        (("a@example.org", "--name", "A"), "short", "--password"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(
    run: Run, asked: Asked, words: tuple[str, ...], password: str, told: str
) -> None:
    done = run("create-user", *words, env={cli.PASSWORD_VARIABLE: password})
    assert (done.exit_code, told in done.output) == (1, True)
    assert asked("SELECT FROM account") == []


def test_roles_are_replaced(run: Run, asked: Asked) -> None:
    created(run, "asha@example.org", "--role", "creator")
    assert (
        run("set-roles", "asha@example.org", "finance", "support")
        .output.strip()
        .endswith("learner, support, finance")
    )
    assert asked("SELECT roles FROM account") == [(["learner", "support", "finance"],)]
    assert run("set-roles", "nobody@example.org", "finance").exit_code == 1
    assert run("set-roles", "asha@example.org", "king").exit_code == 2


def test_somebody_is_shut_out_and_let_in_again(run: Run, asked: Asked) -> None:
    created(run)
    assert run("disable", "asha@example.org").exit_code == 0
    assert asked("SELECT disabled_at IS NULL FROM account") == [(False,)]
    assert run("disable", "asha@example.org", "--undo").exit_code == 0
    assert asked("SELECT disabled_at IS NULL FROM account") == [(True,)]


def test_a_token_for_scripts_carries_what_the_roles_allow(run: Run, secrets_kept: MemorySecrets) -> None:
    made = created(run, "asha@example.org", "--role", "finance")
    token = run("token", "asha@example.org").output.strip()
    ring = keys.load(secrets_kept.kept["identity/signing-keys"].data)
    told = jwts.read(token, ring.remembered, jwts.ACCESS)
    assert (told["sub"], told["roles"]) == (made, ["learner", "finance"])
    assert {"ledger:read", "payments:refund", "openid"} <= set(told["scope"].split())
    less = run("token", "asha@example.org", "--scope", "ledger:read ledger:write").output.strip()
    assert jwts.read(less, ring.remembered, jwts.ACCESS)["scope"] == "ledger:read"


def test_keys_are_rotated_and_forgotten(run: Run, secrets_kept: MemorySecrets) -> None:
    def kept() -> int:
        return len(json.loads(secrets_kept.kept["identity/signing-keys"].data["keys"]))

    assert run("rotate-keys").exit_code == 0
    assert kept() == 2
    assert "signs from" in run("rotate-keys", "--revoke").output
    assert kept() == 1


def test_a_client_for_credentials_gets_a_secret_that_lies_in_the_store(
    run: Run, asked: Asked, secrets_kept: MemorySecrets, tmp_path: Path
) -> None:
    assert run("client", "add", "reports", "--scope", "ledger:read").exit_code == 0
    kept = secrets_kept.kept["identity/clients/reports"].data
    assert kept["client_id"] == "reports"
    assert run("client", "secret", "reports").output.strip() == kept["client_secret"]
    row = "SELECT kind, grant_types, scopes, secret_hash FROM client WHERE id = 'reports'"
    assert asked(row) == [
        ("confidential", ["client_credentials"], ["ledger:read"], secret_hash(kept["client_secret"]))
    ]
    # Added again it keeps its secret; renewed it gets another.
    assert run("client", "add", "reports", "--scope", "orders:read").exit_code == 0
    assert secrets_kept.kept["identity/clients/reports"].data == kept
    file = tmp_path / "secret"
    assert run("client", "secret", "reports", "--renew", "--file", str(file)).output == ""
    assert file.read_text() == secrets_kept.kept["identity/clients/reports"].data["client_secret"]
    assert file.stat().st_mode & 0o077 == 0
    assert asked(row)[0][3] == secret_hash(file.read_text())
    assert "reports" in run("client", "list").output


def test_a_client_that_signs_people_in_says_where_they_come_back_to(run: Run, asked: Asked) -> None:
    done = run(
        "client", "add", "tool", "--public", "--redirect-uri", "http://127.0.0.1/cb", "--name", "A tool"
    )
    assert done.exit_code == 0
    assert asked("SELECT kind, secret_hash, redirect_uris FROM client WHERE id = 'tool'") == [
        ("public", None, ["http://127.0.0.1/cb"])
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("web",),
        ("Bad Name",),
        ("tool", "--public"),
        ("tool", "--redirect-uri", "http://a.example/cb"),
        (
            "tool",
            "--redirect-uri",
            "https://a.example/cb",
            "--post-logout-redirect-uri",
            "https://a.example/#x",
        ),
        ("tool", "--scope", "made:up"),
    ],
)
def test_a_client_that_cannot_be_is_refused(run: Run, asked: Asked, words: tuple[str, ...]) -> None:
    assert run("client", "add", *words).exit_code == 1
    assert asked("SELECT FROM client") == []
    assert run("client", "secret", "tool").exit_code == 1


def test_somebody_joins_an_organisation(run: Run, asked: Asked) -> None:
    created(run)
    made = run("organisation", "add", "acme", "--name", "Acme").output.strip()
    assert run("organisation", "add", "acme", "--name", "Acme").output.strip() == made
    assert run("organisation", "join", "acme", "asha@example.org", "--manager").exit_code == 0
    assert run("organisation", "join", "acme", "asha@example.org").exit_code == 0
    assert asked("SELECT organisation_id::text, role FROM membership") == [(made, "member")]
    assert run("organisation", "join", "nobody", "asha@example.org").exit_code == 1
    assert run("organisation", "add", "No Slug", "--name", "x").exit_code == 1
