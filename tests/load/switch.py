"""The switch's own overhead: a payment from the payer's approval to the merchant's confirmation, all hops by real HTTP.

The switch is a process of its own on a durable PostgreSQL. Of the banks there are two kinds: ones of this process that
answer at once and remember nothing, so that what is measured is the switch and the wire; and the real ones, processes
with books of their own and no latency added. What this process does in answering, which is to check a signature and
to make one for each message, is in every figure.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import uvloop
from joserfc.jwk import ECKey

from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from services.upi_core.tests.merchant import ACCOUNT, Merchant
from services.upi_core.tests.processes import Rail, running
from services.upi_core.tests.town import PIN, SAME_ORIGIN
from suuupra import jwks, signatures
from suuupra.clock import SystemClock
from suuupra.migrations import Schema
from suuupra.signatures import Signer
from suuupra.testing.containers import free_port
from suuupra.testing.issuer import AUDIENCE, ISSUER, Issuer
from suuupra.testing.listening import listening
from suuupra.testing.postgres import PostgresServer
from tests.load import bare
from tests.load.processor import seconds_of
from tests.load.report import Figure, over, percentile, say

PAYMENTS: Final = 300
"""In each run, after some that are not counted."""
WARM: Final = 30
AT_ONCE: Final = (4, 16)
PAYERS: Final = [f"payer{number}@banyan" for number in range(64)]
"""Of the banks that answer at once: enough that nobody waits for the row of his own day."""
CUSTOMERS: Final = [
    (f"{name}@{bank}", pin)
    for name, pin in (("meera", "1234"), ("kabir", "2468"))
    for bank in ("asha", "banyan")
]
"""Of the real banks, with their PINs."""
PLACES: Final = 2 * max(AT_ONCE)
"""Of the switch: a payment that was confirmed holds its own until the switch has heard that the merchant heard."""
MINOR: Final = 100
"""One rupee, so that no day's limit is reached."""
GOAL_MS: Final = 25.0
MESSAGES: Final = 8
"""From the approval on: it, ReqAuthDetails, ReqPay DEBIT, ReqPay CREDIT, the answer to each, ReqTxnConfirmation."""
COMMITS: Final = 4
"""Of the switch, each before the next message: begun, authorised, debited, credited."""
UNLIMITED: Final[dict[str, Any]] = {"perDayCount": 1_000_000}
BOOKS: Final = "two commits more at each bank, 5 ms of Argon2 for the PIN, and their own Python"


class Counter(Merchant):
    """A merchant that tells when a payment was confirmed to it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.confirmed: dict[str, asyncio.Future[float]] = {}

    def expect(self, ref: str) -> asyncio.Future[float]:
        """When the payment with that reference is confirmed, in seconds of `time.perf_counter`."""
        return self.confirmed.setdefault(ref, asyncio.get_running_loop().create_future())

    def _answer(self, message: upi.Message) -> None:
        if isinstance(message, upi.ReqTxnConfirmation):
            assert message.result == "SUCCESS", message
            self.expect(message.txn.ref_id or "").set_result(time.perf_counter())
        super()._answer(message)


class Bank(Merchant):
    """A bank that does whatever it is asked at once, and keeps no books."""

    def __init__(self, code: str, switch: str, port: int) -> None:
        super().__init__(switch, f"http://127.0.0.1:{port}", SystemClock(), None)
        self.code, self.port = code, port
        self.signer = Signer(self.key, code)

    def head(self) -> upi.Head:
        return upi.Head(ts=self.clock.now(), org_id=self.code)

    async def join(self, payers: Sequence[str]) -> None:
        """Take part, with these addresses for the phone."""
        encryption = ECKey.generate_key("P-256", {"use": "enc", "alg": "ECDH-ES"}, auto_kid=True)
        told = upi.Registration(
            name=f"{self.code.title()} Bank",
            kind="bank",
            url=self.url,
            jwks=signatures.public_jwks([self.key]),
            encryption=dict(encryption.as_dict(private=False)),
            handle=self.code,
            addresses=[
                upi.Address(vpa=vpa, name=vpa, account=upi.Account(bank=self.code, number=ACCOUNT), demo=True)
                for vpa in payers
            ],
        )
        answer = await self.send("PUT", f"/internal/v1/participants/{self.code}", told.model_dump_json())
        assert answer.is_success, answer.text
        self._switch_keys = jwks.parse(json.dumps(answer.json()["switch_jwks"]))

    def _answer(self, message: upi.Message) -> None:
        if not isinstance(message, upi.ReqPay):
            return super()._answer(message)
        resp = upi.Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS)
        self._later(Api.RESP_PAY, upi.RespPay(head=self.head(), txn=message.txn, resp=resp))
        return None


@dataclass(frozen=True)
class Run:
    """Payments, with so many payers at once. Seconds of each from the approval to the confirmation, and of all."""

    at_once: int
    each: Sequence[float]
    whole: float
    processor: float
    """Seconds of the switch's own processor time."""

    @property
    def rate(self) -> float:
        """Payments a second."""
        return len(self.each) / self.whole

    def at(self, share: float) -> float:
        """Milliseconds within which this share of the payments was confirmed."""
        return percentile(self.each, share) * 1000


@dataclass
class Till:
    """Lets payers pay, one after the other or several at once."""

    rail: Rail
    payers: Sequence[tuple[str, str]]
    """Addresses, with the PIN of each."""
    paid: int = 0

    async def run(self, at_once: int = 1) -> Run:
        """PAYMENTS payments; some before them are not counted."""
        await self._pay_all(WARM, at_once)
        used, began = seconds_of(self.rail.switch.pid), time.perf_counter()
        each = await self._pay_all(PAYMENTS, at_once)
        whole = time.perf_counter() - began
        say(f"{at_once} at once: {PAYMENTS / whole:.0f} payments/s")
        return Run(at_once, each, whole, seconds_of(self.rail.switch.pid) - used)

    async def _pay_all(self, count: int, at_once: int) -> list[float]:
        left = iter(range(count))

        async def payer() -> list[float]:
            return [await self._pay() for _ in left]

        paid = [one for each in await asyncio.gather(*(payer() for _ in range(at_once))) for one in each]
        if self.rail.merchant.tasks:  # it answers confirmations
            await asyncio.wait(self.rail.merchant.tasks)
        return paid

    async def _pay(self) -> float:
        merchant = self.rail.merchant
        assert isinstance(merchant, Counter)
        self.paid += 1
        ref, (payer, pin) = f"bench{self.paid}", self.payers[self.paid % len(self.payers)]
        request = await self._send("/phone/requests", link=merchant.link(MINOR, ref), payer=payer)
        confirmed = merchant.expect(ref)
        began = time.perf_counter()
        await self._send(f"{request}/approve", pin=pin)
        return await confirmed - began

    async def _send(self, path: str, **form: str) -> str:
        answer = await self.rail.http.post(path, data=form, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])


def measure() -> Sequence[Figure]:
    """Start the servers, measure, remove them."""
    postgres = PostgresServer.start(durable=True)
    try:
        return uvloop.run(_measure(postgres))
    finally:
        postgres.container.remove()


async def _measure(postgres: PostgresServer) -> Sequence[Figure]:
    trips = await bare.round_trips()
    commits = await bare.commits(postgres.url(postgres.create(None)))
    async with _switch(postgres) as rail, _quick_banks(rail) as till:
        say("banks that answer at once")
        runs = [await till.run(at_once) for at_once in (1, *AT_ONCE)]
    async with _switch(postgres) as rail:
        say("banks with books")
        real = await (await _real_banks(rail)).run()
    return figures(Hops(trips, commits), runs, real)


@dataclass(frozen=True)
class Hops:
    """Seconds of what the way is made of, bare: a message with its acknowledgement, and a durable commit."""

    trips: Sequence[float]
    commits: Sequence[float]

    def at(self, share: float) -> float:
        """Milliseconds of all of them, each at this share of its own samples."""
        return 1000 * (MESSAGES * percentile(self.trips, share) + COMMITS * percentile(self.commits, share))


def figures(hops: Hops, runs: Sequence[Run], real: Run) -> list[Figure]:
    """One payment at a time against the goal and the bare hops, the real banks beside it, and the curve."""
    alone, *loaded = runs
    each = alone.processor / len(alone.each) * 1000
    bound = f"{each:.1f} ms of the switch's own Python a payment; {MESSAGES} messages, each signed, verified and kept; {COMMITS} commits"
    bare_hops = f"{MESSAGES} bare HTTP messages and {COMMITS} bare commits"
    p95 = alone.at(0.95)
    return [
        _latency("switch, banks at zero latency: p50", alone.at(0.5), hops.at(0.5), bare_hops, bound),
        _latency("switch, banks at zero latency: p95", p95, hops.at(0.95), bare_hops, bound),
        Figure("the same, beside its goal", _ms(p95), f"{GOAL_MS:.0f} ms", over(p95, GOAL_MS), bound),
        _latency("with real banks and their books: p50", real.at(0.5), alone.at(0.5), "banks at zero latency", BOOKS),
        _latency("with real banks and their books: p95", real.at(0.95), alone.at(0.95), "banks at zero latency", BOOKS),
        *(
            Figure(
                f"{run.at_once} payers at once",
                f"{run.rate:,.0f} payments/s, p50 {_ms(run.at(0.5))}, p95 {_ms(run.at(0.95))}",
                f"one at a time {alone.rate:,.0f} payments/s",
                over(run.rate, alone.rate),
                f"the switch's one process: {run.processor / run.whole:.0%} of a core",
            )
            for run in loaded
        ),
    ]  # fmt: skip


def _latency(name: str, ours: float, peer: float, what: str, bound: str) -> Figure:
    return Figure(name, _ms(ours), f"{what} {_ms(peer)}", over(ours, peer), bound)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.1f} ms"


@asynccontextmanager
async def _switch(postgres: PostgresServer) -> AsyncIterator[Rail]:
    """The switch, started, with a merchant that waits for its confirmations. The banks are not started."""

    def new_database(service: str) -> str:
        return postgres.url(postgres.create(Schema.of(service)))

    async with running(new_database, Issuer.new(ISSUER, AUDIENCE), merchant=Counter, **UNLIMITED) as rail:
        rail.switch.start(RAIL_PAYMENTS_AT_ONCE=str(PLACES))
        await rail.switch.ready()
        yield rail


@asynccontextmanager
async def _quick_banks(rail: Rail) -> AsyncIterator[Till]:
    """Banks of this process, joined; all payers are at one of them."""
    banks = {code: Bank(code, rail.switch.url, free_port()) for code in ("asha", "banyan")}
    async with AsyncExitStack() as until_paid:
        for bank in banks.values():
            until_paid.push_async_callback(bank.close)
            await until_paid.enter_async_context(listening(bank.app, bank.port))
        await banks["asha"].join(())
        await banks["banyan"].join(PAYERS)
        joined = await rail.merchant.register()
        assert joined.is_success, joined.text
        yield Till(rail, [(vpa, PIN) for vpa in PAYERS])


async def _real_banks(rail: Rail) -> Till:
    """The banks as processes, joined."""
    for bank in rail.banks.values():
        bank.start()
    await rail.joined()
    return Till(rail, CUSTOMERS)
