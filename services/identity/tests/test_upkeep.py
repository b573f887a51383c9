"""What happens without anybody asking: clients are registered, and what is over is deleted."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.identity.domain.clients import secret_hash
from services.identity.schedules import schedules
from services.identity.settings import Settings
from services.identity.tests.browser import Browser
from services.identity.tests.conftest import SITE, make_user
from services.identity.usecases.registering import OwnClients
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.errors import Unavailable
from suuupra.schedule import Scheduler
from suuupra.secrets_store import SecretsStore
from suuupra.testing.secrets import MemorySecrets

pytestmark = pytest.mark.integration


async def count(database: Database, table: str) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def test_the_platforms_clients_are_registered_once_with_a_secret_that_stays(
    database: Database,
    identity_settings: Settings,
    secrets_kept: MemorySecrets,
    secrets: SecretsStore,
    clock: FakeClock,
) -> None:
    for _ in range(2):
        await OwnClients(database, secrets, identity_settings, clock).check()
    kept = secrets_kept.kept["identity/clients/web"]
    assert kept.version == 1
    async with database.reading() as tx:
        rows = await tx.execute(text("SELECT id, kind, redirect_uris, secret_hash FROM client ORDER BY id"))
        assert [tuple(row) for row in rows] == [
            ("cli", "public", ["http://127.0.0.1/callback", "http://[::1]/callback"], None),
            ("web", "confidential", [f"{SITE}/session/callback"], secret_hash(kept.data["client_secret"])),
        ]


async def test_a_pod_is_not_ready_before_its_clients_are_registered_and_becomes_so_by_itself(
    database: Database,
    identity_settings: Settings,
    secrets_kept: MemorySecrets,
    secrets: SecretsStore,
    clock: FakeClock,
) -> None:
    secrets_kept.away = True
    own = OwnClients(database, secrets, identity_settings, clock)
    await own.open()
    with pytest.raises(Unavailable):
        await own.check()
    secrets_kept.away = False
    await own.check()
    secrets_kept.away = True
    await own.check()


async def test_what_is_over_is_deleted_and_what_is_not_stays(
    database: Database, identity_settings: Settings, browser: Browser, clock: FakeClock
) -> None:
    await make_user(database, "asha@example.org")
    await browser.sign_in("asha@example.org")
    await browser.sign_in("nobody@example.org", "a wrong guess 1")
    await browser.open("/account/sign-up")
    await browser.send(name="B", email="b@example.org", password="correct horse battery 9")
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE scheduled SET next_at = :now WHERE kind = 'sweep'"), {"now": clock.now()}
        )
    sweeper = Scheduler(database, {"sweep": schedules(identity_settings, clock)["sweep"]}, clock, parallel=1)
    assert await sweeper.handle_due() == 1
    tables = ("sso_session", "signup", "letter", "login_failure")
    assert [await count(database, table) for table in tables] == [1, 1, 1, 1]
    clock.advance(timedelta(days=9))
    assert await sweeper.handle_due() == 1
    assert [await count(database, table) for table in tables] == [0, 0, 0, 0]
    assert await count(database, "known_browser") == 1
    clock.advance(timedelta(days=180))
    assert await sweeper.handle_due() == 1
    assert await count(database, "known_browser") == 0
    assert await count(database, "account") == 1
    assert await sweeper.handle_due() == 0  # it comes again in a while
