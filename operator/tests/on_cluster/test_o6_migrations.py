"""O6: a migration per version gates the rollout; its failure leaves the old version serving and says why.

Two resources go through it side by side: Kubernetes pauses for half a minute between the tries of a migration that fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from suuupra_operator.cluster import Object

from .api import Api
from .process import Crew


def _version(version: str, migration: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"service": "workload", "database": {}}
    return spec | {"image": f"suuupra/workload:{version}", "env": {"WORKLOAD_MIGRATION": migration}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asked(connected: Api, crew: Crew) -> AsyncIterator[tuple[Api, Object]]:
    """`failing` and `refused` serve v1 and are asked for a v2 that cannot be; what the Deployment of `failing` was."""
    await connected.platform()
    await crew.stand()
    await connected.service("failing", _version("v1", "create table if not exists notes (id int);"))
    await connected.service("refused", _version("v1", "create table if not exists notes (id int, old text);"))
    await asyncio.gather(connected.ready("failing"), connected.ready("refused"))
    served = await connected.must("Deployment", "failing")
    await connected.service("failing", _version("v2", "this is not SQL;"))
    await connected.service("refused", _version("v2", "alter table notes drop column old;"))
    yield connected, served
    await connected.clean_up()


async def test_o6_the_lint_refuses_what_old_pods_would_not_survive(asked: tuple[Api, Object]) -> None:
    api, _ = asked
    refused = await api.until("refused", "MigrationsReady", reason="MigrationRefused", within=90)
    assert "ban-drop-column" in refused["message"]
    assert "suuupra.io/allow-unsafe-migration=v2" in refused["message"]

    await api.annotate("refused", allow_unsafe_migration="v2")
    await api.ready("refused", 90)
    assert api.servers.psql("select count(*) from pg_attribute where attname = 'old'", "refused") == ["0"]


async def test_o6_a_failed_migration_leaves_the_old_version_serving(asked: tuple[Api, Object]) -> None:
    api, served = asked
    failed = await api.until("failing", "MigrationsReady", reason="MigrationFailed", within=150)
    assert "v1 keeps serving" in failed["message"]
    assert "syntax error" in failed["message"]
    deployment = await api.must("Deployment", "failing")
    assert deployment["spec"]["template"] == served["spec"]["template"]
    assert deployment["status"]["readyReplicas"] == 1
    assert (await api.must("SuuupraService", "failing"))["status"]["version"] == "v1"

    await api.service("failing", _version("v3", "alter table notes add column more text;"))
    await api.ready("failing", 90)
    assert (await api.must("SuuupraService", "failing"))["status"]["version"] == "v3"
