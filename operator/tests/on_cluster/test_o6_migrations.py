"""O6: a migration per version gates the rollout; its failure leaves the old version serving and says why."""

from __future__ import annotations

from typing import Any

from .api import Api
from .process import OperatorProcess

SPEC: dict[str, Any] = {"service": "workload", "database": {}}


def _version(version: str, migration: str) -> dict[str, Any]:
    return SPEC | {"image": f"suuupra/workload:{version}", "env": {"WORKLOAD_MIGRATION": migration}}


async def test_o6_a_failed_migration_leaves_the_old_version_serving(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", _version("v1", "create table if not exists notes (id int);"))
    await api.ready("shop")
    served = (await api.must("Deployment", "shop"))["spec"]["template"]

    await api.service("shop", _version("v2", "this is not SQL;"))

    failed = await api.until("shop", "MigrationsReady", reason="MigrationFailed", within=150)
    assert "v1 keeps serving" in failed["message"]
    assert "syntax error" in failed["message"]
    deployment = await api.must("Deployment", "shop")
    assert deployment["spec"]["template"] == served
    assert deployment["status"]["readyReplicas"] == 1
    assert (await api.must("SuuupraService", "shop"))["status"]["version"] == "v1"

    await api.service("shop", _version("v3", "alter table notes add column more text;"))
    await api.ready("shop", 90)
    assert (await api.must("SuuupraService", "shop"))["status"]["version"] == "v3"


async def test_o6_the_lint_refuses_what_old_pods_would_not_survive(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", _version("v1", "create table if not exists notes (id int, old text);"))
    await api.ready("shop")

    await api.service("shop", _version("v2", "alter table notes drop column old;"))
    refused = await api.until("shop", "MigrationsReady", reason="MigrationRefused", within=90)
    assert "ban-drop-column" in refused["message"]
    assert "suuupra.io/allow-unsafe-migration=v2" in refused["message"]

    await api.annotate("shop", allow_unsafe_migration="v2")
    await api.ready("shop", 90)
    assert api.servers.psql("select count(*) from pg_attribute where attname = 'old'", "shop") == ["0"]
