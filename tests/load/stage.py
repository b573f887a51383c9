"""The cluster made ready for a crowd of buyers, and put back afterwards.

What stands in a crowd's way on one machine are limits that are meant for one person: fifty requests a second of one
address at the phone, twenty payments a day of one account. So for as long as the load runs the rail has a bank more,
`bench`, which answers at once and has PAYERS accounts, no count of payments a day, and a wider limit at the phone; every
limit is still counted. Learners and a product without a course are made over the public API, and the product is taken
off sale. A run that was cut off leaves the rail so: the next run takes the bank away, `make up` the wider limits.

What was bought stays bought: orders, journals, and the merchant's money at its bank. What `bench` owes for that stays in
its database, which outlives it and which the next run finds; whoever adds up what all banks owe each other counts it
(tests/cluster/banks.py). It leaves only when all that its customers began has ended.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from bringup import tools
from suuupra_operator.cluster import Object
from suuupra_operator.kinds import RAIL
from suuupra_operator.primaries import is_ready

from services.upi_core.domain.payment import State

from . import bare
from .cluster import NAMESPACE, Client, NoCluster
from .report import say

NAME: Final = "upi"
BANK: Final = "bench"
SWITCH: Final = "upi-core"
PIN: Final = "1234"
PAYERS: Final = [f"b{number}@{BANK}" for number in range(50)]
LEARNERS: Final = [f"bench{number}@suuupra.example" for number in range(60)]
STAFF: Final = "bench@suuupra.example"
PRODUCT: Final = "Bench"
PHONE: Final = "/phone"
WIDE: Final[Object] = {"rate": "2000/s", "burst": 8000, "by": "address"}
READY_SECONDS: Final = 300.0
_PEOPLE: Final = """
import json, sys
from services.identity.cli import app

staff, *learners = json.loads(sys.argv[1])
for email, role in ((staff, ["--role", "operator"]), *((email, []) for email in learners)):
    app(["create-user", email, "--name", "Bench", "--keep", *role], standalone_mode=False)
"""
_TOKENS: Final = """
import json, sys
from services.identity.cli import app

for email in json.loads(sys.argv[1]):
    app(["token", email], standalone_mode=False)
"""
"""The commands that an operator has, many of them in one process."""
OVER: Final = (State.SUCCESS, State.FAILED, State.EXPIRED, State.REVERSED, State.DISPUTED)
"""Of a payment that goes on only when somebody does something."""
_UNDER_WAY: Final = """
import json, os, sys
import psycopg

bank, over = json.loads(sys.argv[1])
asked = "SELECT count(*) FROM txn WHERE %s IN (payer_bank, payee_bank) AND state <> ALL(%s)"
with psycopg.connect(os.environ["SUUUPRA_DATABASE_URL"]) as connection:
    print(connection.execute(asked, (bank, over)).fetchone()[0])
"""
"""How many payments with a bank the switch has not brought to their end."""


@dataclass(frozen=True)
class Tokens:
    """Who buys, and who looks into the ledger."""

    learners: tuple[str, ...]
    finance: str
    """A token that reads the ledger."""

    @classmethod
    def now(cls) -> Tokens:
        """With fresh tokens."""
        staff, *learners = tokens_of(STAFF, *LEARNERS)
        return cls(tuple(learners), staff)


@dataclass(frozen=True)
class Bare:
    """Seconds of each bare hop, from inside the cluster on the same servers."""

    http: list[float]
    commit: list[float]
    kafka: list[float]


def widened(spec: Object) -> Object:
    """The rail's spec for a crowd."""
    accounts = [
        {"number": f"B{number:03}", "name": "b", "vpa": vpa, "pin": PIN, "balance": "9999.00"}
        for number, vpa in enumerate(PAYERS)
    ]
    bank = {
        "code": BANK,
        "name": "Bench Bank",
        "profile": {"latency": "0s"},
        "env": {"BANK_ACCOUNTS": json.dumps(accounts, separators=(",", ":"))},
    }
    routes = [
        route | {"limits": [WIDE]} if route["path"] == PHONE else route for route in spec["switch"]["routes"]
    ]
    return {
        "participants": [*without_bank(spec), bank],
        "rulebook": {"perDayCount": 100_000},
        "switch": {"routes": routes},
    }


def put_back(spec: Object) -> Object:
    """The patch that makes of a widened spec the one it was."""
    count = spec.get("rulebook", {}).get("perDayCount")
    return {
        "participants": without_bank(spec),
        "rulebook": {"perDayCount": count},
        "switch": {"routes": spec["switch"]["routes"]},
    }


def without_bank(spec: Object) -> list[Object]:
    """The participants, except the bank of a run that was cut off."""
    return [one for one in spec["participants"] if one["code"] != BANK]


@asynccontextmanager
async def widened_rail(client: Client, url: str) -> AsyncIterator[None]:
    """The rail for a crowd while the body runs."""
    rail = await client.get(RAIL, NAME, NAMESPACE)
    if rail is None:
        raise NoCluster(f"the cluster has no PaymentRail {NAME}: run `make up`")
    try:
        await _patch(client, widened(rail["spec"]))
        await _until("a phone for a crowd", lambda: _phone_is_wide(url))
        yield
        await _payments_end()
    finally:
        await _patch(client, put_back(rail["spec"]))


async def _payments_end() -> None:
    """Return when nothing is under way with the bank; or after a while, since it ends also when the bank is back."""
    say("the last payments end")
    about = json.dumps([BANK, [state.value for state in OVER]])

    async def ended() -> bool:
        return int(await asyncio.to_thread(_inside, SWITCH, _UNDER_WAY, argument=about)) == 0

    try:
        await _until("the last payments' end", ended)
    except TimeoutError as error:
        say(f"  {error}: what is left of them ends when {BANK} is back")


async def _patch(client: Client, spec: Object) -> None:
    await client.merge(RAIL.path(NAMESPACE, NAME), {"spec": spec})

    async def settled() -> bool:
        rail = await client.get(RAIL, NAME, NAMESPACE)
        return rail is not None and is_ready(rail)

    await _until("the rail being Ready", settled)


async def _until(what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not await holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{READY_SECONDS:.0f} s went by without {what}")
        await asyncio.sleep(0.5)


async def _phone_is_wide(url: str) -> bool:
    """Whether the gateway has the wider limit, and the switch the new payers."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}{PHONE}") as answer:
        said = re.search(r";q=(\d+)", answer.headers.get("RateLimit-Policy", ""))
        return said is not None and int(said[1]) >= 1000 and PAYERS[-1] in await answer.text()


def make_people() -> None:
    """Accounts for staff and learners, unless they are there. Nobody knows their passwords."""
    password = f"SUUUPRA_NEW_PASSWORD={secrets.token_urlsafe(20)}"
    _inside("identity", _PEOPLE, "env", password, argument=json.dumps([STAFF, *LEARNERS]))


def tokens_of(*emails: str) -> list[str]:
    """An access token of each, good for ten minutes."""
    return _inside("identity", _TOKENS, argument=json.dumps(emails)).splitlines()[-len(emails) :]


def _inside(deployment: str, program: str, *before: str, argument: str = "") -> str:
    """What a Python program prints that runs in a pod of ours."""
    command = [tools.path("kubectl"), "-n", NAMESPACE, "exec", "-i", f"deploy/{deployment}", "--", *before]
    ran = subprocess.run([*command, "python", "-", argument], input=program, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"a program inside {deployment} failed: {ran.stderr[-2000:]}")
    return ran.stdout


@asynccontextmanager
async def on_sale(url: str) -> AsyncIterator[str]:
    """The variant of a product that costs one rupee and opens no course, for sale while the body runs."""
    async with _seller(url) as session:
        product = await _product(session)
        await _sell(session, product["id"], True)
    try:
        yield str(product["variants"][0]["id"])
    finally:
        async with _seller(url) as session:
            await _sell(session, product["id"], False)


@asynccontextmanager
async def _seller(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    (token,) = await asyncio.to_thread(tokens_of, STAFF)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, headers=headers, raise_for_status=True) as session:
        yield session


async def _product(session: aiohttp.ClientSession) -> Mapping[str, Any]:
    mine = await _json(session.get("/v1/products", params={"mine": "true", "limit": "100"}))
    found: Mapping[str, Any] | None = next((it for it in mine["items"] if it["title"] == PRODUCT), None)
    if found is not None:
        return found
    price = {"currency": "INR", "amount": "1.00"}
    body = {"title": PRODUCT, "active": False, "variants": [{"title": "One rupee", "prices": [price]}]}
    key = {"Idempotency-Key": f"bench-{time.time_ns()}"}
    made: Mapping[str, Any] = await _json(session.post("/v1/products", json=body, headers=key))
    return made


async def _sell(session: aiohttp.ClientSession, product: str, active: bool) -> None:
    path = f"/v1/products/{product}"
    async with session.get(path) as answer:
        tag = {"If-Match": answer.headers["ETag"]}
    await _json(session.patch(path, json={"active": active}, headers=tag))


async def _json(request: Any) -> Any:
    async with request as answer:
        return await answer.json()


def bare_hops() -> Bare:
    """Measured by a program inside the ledger's worker, with its servers."""
    told = _inside("ledger-worker", Path(bare.__file__).read_text())
    return Bare(**json.loads(told.splitlines()[-1]))
