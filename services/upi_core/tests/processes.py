"""The rail as real processes that talk HTTP: `python -m suuupra serve …`, to be killed at named points."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import httpx
import psycopg

from services.upi_core.tests.merchant import Merchant
from services.upi_core.tests.town import PAYER, PIN, SAME_ORIGIN, NewDatabase
from suuupra import failpoints
from suuupra.clock import SystemClock
from suuupra.testing import forking
from suuupra.testing.containers import free_port
from suuupra.testing.issuer import Issuer
from suuupra.testing.listening import listening
from suuupra.testing.waiting import until

LIMIT_SECONDS = 90.0
_UNHEARD = "SELECT count(*) FROM message_out WHERE outcome IS NULL AND path LIKE '%Pay'"


class Process:
    """One service. It keeps its port and its database when it is started again."""

    def __init__(self, service: str, name: str, environment: Mapping[str, str]) -> None:
        self._service = service
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = {
            **os.environ,
            "SUUUPRA_NAME": name,
            "SUUUPRA_HTTP_HOST": "127.0.0.1",
            "SUUUPRA_OPS_HOST": "127.0.0.1",
            "SUUUPRA_HTTP_PORT": str(self._port),
            "SUUUPRA_OPS_PORT": str(free_port()),
            "SUUUPRA_LOG_LEVEL": "warning",
            "SUUUPRA_DRAIN_SECONDS": "0",
            **environment,
        }
        self._process: forking.Process | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self, failpoint: str = "", **environment: str) -> None:
        values = {**self._environment, **environment, failpoints.VARIABLE: failpoint}
        self._process = forking.start("suuupra", "serve", self._service, environment=values)

    async def ready(self) -> None:
        """Until it answers."""
        async with httpx.AsyncClient(timeout=2) as client:

            async def answers() -> bool:
                try:
                    return (await client.get(f"{self.url}/internal/v1/jwks.json")).is_success
                except httpx.TransportError:
                    return False

            await until(answers, limit=LIMIT_SECONDS)

    async def killed_itself(self) -> bool:
        """Wait for its end; whether a failpoint was the cause."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, LIMIT_SECONDS) == -signal.SIGKILL

    async def heard(self) -> None:
        """Until it has noted of every leg it asked for or answered that it was heard: else it says so when it starts."""
        url = self._environment["SUUUPRA_DATABASE_URL"]
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:

            async def all_noted() -> bool:
                return await (await connection.execute(_UNHEARD)).fetchone() == (0,)

            await until(all_noted, limit=LIMIT_SECONDS)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)


class Rail:
    """A switch, two banks and a merchant."""

    def __init__(
        self,
        new_database: NewDatabase,
        issuer: Issuer,
        rulebook: Mapping[str, Any],
        merchant: type[Merchant] = Merchant,
        profiles: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        auth = {
            "SUUUPRA_ISSUER": issuer.issuer,
            "SUUUPRA_AUDIENCE": issuer.audience,
            "SUUUPRA_JWKS": json.dumps(issuer.jwks()),
        }
        self.switch = Process(
            "upi-core",
            "upi-core",
            {
                "SUUUPRA_DATABASE_URL": new_database("upi-core"),
                "RAIL_RULEBOOK": json.dumps(rulebook),
                **auth,
            },
        )
        self.banks = {
            code: self._bank(code, new_database, profiles.get(code, {})) for code in ("asha", "banyan")
        }
        self.port = free_port()
        self.merchant = merchant(self.switch.url, f"http://127.0.0.1:{self.port}", SystemClock(), None)
        self.http = httpx.AsyncClient(base_url=self.switch.url, timeout=10)

    def _bank(self, code: str, new_database: NewDatabase, profile: Mapping[str, Any]) -> Process:
        bank = Process(
            "bank-simulator",
            f"bank-{code}",
            {
                "SUUUPRA_DATABASE_URL": new_database("bank-simulator"),
                "SUUUPRA_URL_UPI_CORE": self.switch.url,
                "BANK_PROFILE": json.dumps({"code": code, "name": f"{code.title()} Bank", **profile}),
            },
        )
        bank._environment["SUUUPRA_SELF_URL"] = bank.url
        return bank

    @property
    def processes(self) -> list[Process]:
        return [self.switch, *self.banks.values()]

    def named(self, who: str) -> Process:
        """The switch, or a bank by its code."""
        return self.switch if who == "switch" else self.banks[who]

    async def joined(self) -> None:
        """Until everybody knows everybody."""
        await asyncio.gather(*(process.ready() for process in self.processes))
        await until(self._registered, limit=LIMIT_SECONDS)

    async def _registered(self) -> bool:
        """All have joined, and the switch knows that they answer."""
        if not (await self.merchant.register()).is_success:
            return False
        found = (await self.http.get("/internal/v1/participants")).json()["items"]
        return {one["code"] for one in found if one["state"] == "up"} >= {"asha", "banyan"}

    async def approve(self, ref: str, minor: int = 49_900) -> None:
        """Scan and approve. The switch may die while it answers."""
        form = {"link": self.merchant.link(minor, ref), "payer": PAYER}
        opened = await self.http.post("/phone/requests", data=form, headers=SAME_ORIGIN)
        assert opened.status_code == 303, opened.text
        page = opened.headers["location"]
        try:
            await self.http.post(f"{page}/approve", data={"pin": PIN}, headers=SAME_ORIGIN)
        except httpx.TransportError:
            assert ref, "the caller of a switch that dies gets no answer"

    async def ended(self, ref: str) -> dict[str, Any]:
        """The transaction, once nothing more happens to it by itself."""

        async def over() -> dict[str, Any] | None:
            try:
                answer = await self.http.get("/internal/v1/transactions", params={"ref_id": ref})
            except httpx.TransportError:
                return None
            items = answer.json()["items"] if answer.is_success else []
            ends = {"success", "failed", "reversed", "disputed", "expired"}
            return items[0] if items and items[0]["state"] in ends else None

        found = await until(over, limit=LIMIT_SECONDS)
        assert found is not None
        return found

    async def quiet(self) -> None:
        """Until nobody has a leg on its way; what the switch is heard with, a bank answers."""
        for process in self.processes:
            await process.heard()

    async def booked(self, code: str, number: str, txn_id: str) -> tuple[int, ...]:
        """What a bank's statement of an account has of a transaction, in minor units and in order."""
        async with httpx.AsyncClient(base_url=self.banks[code].url) as client:
            answer = await client.get(f"/internal/v1/accounts/{number}/statement")
        entries = answer.raise_for_status().json()["entries"]
        return tuple(int(one["amount"]["minor"]) for one in entries if one["txn_id"] == txn_id)

    async def books(self, code: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.banks[code].url) as client:
            found: dict[str, Any] = (await client.get("/internal/v1/books")).json()
            return found


@asynccontextmanager
async def running(
    new_database: NewDatabase,
    issuer: Issuer,
    *,
    merchant: type[Merchant] = Merchant,
    banks: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    **rulebook: Any,
) -> AsyncIterator[Rail]:
    """The rail, not yet started; whatever lives at the end is killed. `banks`: by code, what differs in its profile."""
    rail = Rail(new_database, issuer, rulebook, merchant, banks)
    try:
        async with listening(rail.merchant.app, rail.port):
            yield rail
    finally:
        for process in rail.processes:
            process.kill()
        await rail.http.aclose()
        await rail.merchant.close()
