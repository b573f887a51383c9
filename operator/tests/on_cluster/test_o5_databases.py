"""O5: a database with least privilege; the password is in the Secret and nowhere else; rotation fails no request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from .api import EVERY_PART, NO_PODS, Api
from .machines import logs_in
from .outside import Outside
from .process import Crew, OperatorProcess
from .waiting import eventually


async def test_o5_rotation_fails_no_request(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", EVERY_PART | {"replicas": {"min": 2}})
    await api.ready("shop", 90)

    def moved() -> bool:
        rows = api.servers.psql(
            "select rolname from pg_roles where rolcanlogin and rolname like 'shop_app_%'"
        )
        return rows == ["shop_app_b"]

    async with Outside.of(api, "shop") as outside, outside.under_traffic():
        await api.annotate("shop", rotate="once")
        await eventually(moved, 120, "the old login is retired")
    assert (await api.secret("shop-db"))["username"] == "shop_app_b"
    assert api.servers.psql("select rolpassword is null from pg_authid where rolname = 'shop_app_a'") == ["t"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(connected: Api, crew: Crew) -> AsyncIterator[Api]:
    """A resource with a database, and one that has the database that two ask for."""
    await connected.platform()
    await crew.stand()
    await connected.service("shop", NO_PODS | {"database": {"extensions": ["vector", "pg_trgm"]}})
    await connected.service("older", NO_PODS | {"database": {"name": "common"}})
    await asyncio.gather(connected.ready("shop"), connected.ready("older"))
    yield connected
    await connected.clean_up()


async def test_o5_the_application_may_use_tables_and_not_make_them(made: Api) -> None:
    api = made
    app, owner = (await api.secret("shop-db"))["url"], (await api.secret("shop-db-owner"))["url"]

    with psycopg.connect(owner, autocommit=True) as connection:
        assert connection.execute("select current_user").fetchone() == ("shop_owner",)
        connection.execute("create table things (id int primary key, kept vector(3))")
        connection.execute("revoke update on things from shop_app")
    with psycopg.connect(app, autocommit=True) as connection:
        connection.execute("insert into things values (1)")
        for forbidden in (
            "create table mine ()",
            "drop table things",
            "update things set id = 2",
            "create temp table t ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
    assert {"vector", "pg_trgm"} <= {*api.servers.psql("select extname from pg_extension", "shop")}


async def test_o5_a_login_gets_into_its_own_database_and_into_no_other(made: Api) -> None:
    databases = {"shop": "shop", "older": "common"}
    for name, mine in databases.items():
        for secret in (f"{name}-db", f"{name}-db-owner"):
            url = (await made.secret(secret))["url"]
            assert logs_in(url)
            for elsewhere in {*databases.values(), "postgres", "template1"} - {mine}:
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    psycopg.connect(url.replace(f"/{mine}?", f"/{elsewhere}?"), connect_timeout=5)


async def test_o5_the_password_is_generated_once(made: Api, crew: Crew) -> None:
    operator = await crew.stand()

    def looks() -> float:
        return operator.total("suuupra_operator_reconciles_total", kind="SuuupraService")

    before = [await made.secret(name) for name in ("shop-db", "shop-db-owner")]
    seen = looks()
    await made.service("shop", NO_PODS | {"database": {"extensions": ["vector", "pg_trgm", "citext"]}})
    await made.ready("shop")
    await made.delete("Service", "shop")
    await eventually(lambda: looks() >= seen + 2, 20, "two more looks at it")

    assert [await made.secret(name) for name in ("shop-db", "shop-db-owner")] == before


async def test_o5_no_password_reaches_postgres_log_or_the_resource(made: Api, crew: Crew) -> None:
    api, operator = made, await crew.stand()
    passwords = [(await api.secret(name))["password"] for name in ("shop-db", "shop-db-owner")]
    shop = str(await api.must("SuuupraService", "shop"))
    log = api.servers.postgres_log()
    for password in passwords:
        assert len(password) >= 32
        assert password not in log
        assert password not in shop
        assert password not in operator.log()


async def test_o5_two_resources_cannot_have_one_database(made: Api) -> None:
    api = made
    await api.younger("newer", NO_PODS | {"database": {"name": "common"}})

    lost = await api.until("newer", "DatabaseReady", reason="ResourceConflict")
    assert "belongs to resource suuupra/older: make this resource anew" in lost["message"]
    assert "another database.name" in lost["message"]

    api.servers.psql("create database strange")
    await api.service("third", NO_PODS | {"database": {"name": "strange"}})
    asked = await api.until("third", "DatabaseReady", reason="ResourceConflict")
    assert "was not made by the operator" in asked["message"]
