"""npm's certified openid-client completes every flow with the provider."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from bringup.paths import WORK

from services.identity.tests.browser import PASSWORD
from services.identity.tests.conftest import REPORTS, make_user
from services.identity.tests.process import started
from services.identity.usecases import registering
from suuupra.db import Database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SOURCE: Final = Path(__file__).parent / "openid_client"
CACHE: Final = WORK / "openid-client"
FLOWS: Final = {
    "discovery",
    "prompt=none without a session",
    "authorization code with PKCE",
    "single sign-on, silently",
    "max_age and prompt=login",
    "userinfo",
    "refresh with rotation",
    "introspection and revocation",
    "client_secret_post",
    "client credentials",
    "a public client on its own machine",
    "logout",
}


def installed() -> Path:
    """A folder with the library as the lock file names it; installed once, and kept."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(lock).hexdigest()[:12]
    if not folder.exists():
        making = folder.with_name(f"{folder.name}.{os.getpid()}")
        making.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, making)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=making, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"npm could not install openid-client: {done.stderr}"
        making.rename(folder)
    return folder


def test_openid_client_completes_every_flow(database_url: str, tmp_path: Path) -> None:
    folder = installed()
    shutil.copy(SOURCE / "flows.mjs", folder)
    with started(database_url, tmp_path) as process:
        asyncio.run(_prepare(database_url))
        told = {
            "PATH": os.environ["PATH"],
            "ISSUER": process.url,
            "WEB_SECRET": process.web_secret,
            "REPORTS_SECRET": "the reports' secret",
            "EMAIL": "asha@example.org",
            "PASSWORD": PASSWORD,
        }
        command = ["node", "flows.mjs"]
        done = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == FLOWS


async def _prepare(url: str) -> None:
    database = Database(url, application="test", pool_size=1)
    await registering.register(database, (REPORTS,), datetime.now(UTC))
    await make_user(database, "asha@example.org")
    await database.close()
