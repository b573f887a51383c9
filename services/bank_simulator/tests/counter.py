"""The bank's other side inside a test: a switch that signs legs and hears the answers."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI, Request
from joserfc.jwk import ECKey

from services.bank_simulator.app import create_app
from services.bank_simulator.settings import Settings
from services.upi_core import contract as upi
from services.upi_core.contract import Api
from suuupra import signatures
from suuupra.clock import FakeClock
from suuupra.courier import Courier
from suuupra.money import Money
from suuupra.schedule import Scheduler
from suuupra.signatures import Signer

MEERA = "ASHA100001"
SHOP = "SUUUPRA001"
PIN = "1234"
RUPEES_250K = 250_000_00


class Network(httpx.AsyncBaseTransport):
    """Both hosts of the test."""

    def __init__(self) -> None:
        self.apps: dict[str, FastAPI] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(self.apps[request.url.host], raise_app_exceptions=False)
        return await transport.handle_async_request(request)


@dataclass
class Counter:
    """A bank with its switch."""

    bank: FastAPI
    clock: FakeClock
    network: Network
    signer: Signer
    registered: dict[str, Any] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(transport=self.network, base_url="http://bank-asha")

    # What is asked

    def txn(self, kind: upi.TxnType, txn_id: str | None = None, **more: Any) -> upi.Txn:
        values = {"id": txn_id or upi.new_txn_id("TST"), "type": kind, "ts": self.clock.now()}
        return upi.Txn.model_validate({**values, "cust_ref": "633412000001", "ref_id": "A1", **more})

    async def leg(
        self,
        kind: upi.TxnType,
        *,
        minor: int = 10_000,
        account: str = MEERA,
        txn_id: str | None = None,
        pin: str | None = PIN,
        expires_in: float | None = None,
        **more: Any,
    ) -> upi.ReqPay:
        """A leg's message, with the PIN sealed for the bank."""
        txn = self.txn(kind, txn_id, **more)
        amount, here = Money(minor, "INR"), upi.Account(bank="asha", number=account)
        credential = None
        if pin is not None and kind is upi.TxnType.DEBIT:
            key: ECKey = await self.bank.state.bank.keyring.encryption()
            sealed = upi.seal_pin(key.as_dict(private=False), pin, txn.id, minor)
            credential = upi.Credential(data=sealed)
        credited = kind is upi.TxnType.CREDIT
        until = self.clock.now() + timedelta(seconds=expires_in) if expires_in is not None else None
        return upi.ReqPay(
            head=upi.Head(ts=self.clock.now(), org_id=upi.SWITCH),
            txn=txn,
            payer=upi.Payer(
                vpa="meera@asha", name="Meera Iyer", amount=amount,
                account=None if credited else here, credential=credential,
            ),
            payees=[
                upi.Payee(vpa="shop@cedar", name="Shop", amount=amount, account=here if credited else None)
            ],
            rules=upi.Rules(expires_at=until),
        )  # fmt: skip

    async def say(self, message: upi.Message, api: Api = Api.REQ_PAY, signer: Signer | None = None) -> Any:
        """Send it; the acknowledgement."""
        path, body = upi.path_of(api), message.model_dump_json(exclude_none=True).encode()
        headers = (signer or self.signer).sign("POST", path, body, self.clock.now())
        answer = await self.http.post(
            path, content=body, headers={**headers, "content-type": "application/json"}
        )
        assert answer.status_code == 202, answer.text
        return upi.Ack.model_validate_json(answer.content)

    async def refused(self, message: upi.Message, api: Api = Api.REQ_PAY) -> dict[str, Any]:
        """Send what is refused for good; the problem."""
        path, body = upi.path_of(api), message.model_dump_json(exclude_none=True).encode()
        headers = self.signer.sign("POST", path, body, self.clock.now())
        answer = await self.http.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
        problem: dict[str, Any] = answer.json()
        return problem

    async def ask(self, message: upi.ReqPay) -> upi.Code | None:
        """Send a leg and hear how it ended; None when nothing is heard."""
        ack = await self.say(message)
        assert ack.err is None, ack.err
        await self.settle()
        answers = [one for one in self.heard if one.resp.req_msg_id == message.head.msg_id]
        return answers[-1].resp.code if answers else None

    async def debit(self, **how: Any) -> upi.Code | None:
        return await self.ask(await self.leg(upi.TxnType.DEBIT, **how))

    async def credit(self, **how: Any) -> upi.Code | None:
        return await self.ask(await self.leg(upi.TxnType.CREDIT, **how))

    async def reverse(self, txn_id: str, **how: Any) -> upi.Code | None:
        return await self.ask(await self.leg(upi.TxnType.REVERSAL, txn_id=txn_id, **how))

    async def check(self, txn_id: str, leg: upi.TxnType) -> tuple[str, str]:
        """How does the bank say that a leg ended?"""
        message = upi.ReqChkTxn.model_validate(
            {
                "head": upi.Head(ts=self.clock.now(), org_id=upi.SWITCH),
                "txn": self.txn(upi.TxnType.CHK_TXN, org_txn_id=txn_id),
                "leg": leg,
            }
        )
        await self.say(message, Api.REQ_CHK_TXN)
        await self.settle()
        answer = self.heard[-1]
        return answer.resp.result, answer.resp.code.value

    # Letting things happen

    async def settle(self) -> None:
        courier = self._runnable(Courier)
        await asyncio.sleep(0)
        await courier.settled()

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self._runnable(Scheduler).handle_due()
        await self._runnable(Courier).deliver_due()
        await self.settle()

    def _runnable(self, kind: type[Any]) -> Any:
        return next(one for one in self.bank.state.runnables if isinstance(one, kind))

    # Looking

    async def get(self, path: str) -> Any:
        answer = await self.http.get(f"/internal/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def balance(self, number: str = MEERA) -> int:
        return int((await self.get(f"accounts/{number}"))["balance"]["minor"])

    async def assert_books(self) -> None:
        books = await self.get("books")
        assert books["difference"]["minor"] == 0
        assert books["unfolded"] == []


def counter_of(database_url: str, clock: FakeClock, profile: Mapping[str, Any]) -> Counter:
    """A bank that knows its switch, nothing opened yet."""
    network = Network()
    settings = Settings(
        service="bank-simulator",
        name="bank-asha",
        database_url=database_url,
        database_pool_size=10,
        url_upi_core="http://upi-core",
        self_url="http://bank-asha",
        bank={"code": "asha", "name": "Asha Bank", **profile},
    )
    bank = create_app(settings, clock=clock, transport=network)
    signer = Signer(signatures.generate_key(), upi.SWITCH)
    counter = Counter(bank, clock, network, signer)
    network.apps = {"bank-asha": bank, "upi-core": _switch(counter)}
    return counter


def _switch(counter: Counter) -> FastAPI:
    app = FastAPI()

    @app.get(upi.JWKS_PATH)
    async def keys() -> dict[str, Any]:
        return signatures.public_jwks([counter.signer.key])

    @app.put("/internal/v1/participants/{code}")
    async def register(code: str, request: Request) -> dict[str, Any]:
        counter.registered = {"code": code, **json.loads(await request.body())}
        return {"code": code, "switch": upi.SWITCH, "switch_jwks": await keys()}

    @app.post(f"{upi.PATH}/{{api}}", status_code=202)
    async def hear(api: Api, request: Request) -> upi.Ack:
        message: Any = upi.MESSAGES[api].model_validate_json(await request.body())
        counter.heard.append(message)
        return upi.Ack(api=api, req_msg_id=message.head.msg_id, ts=counter.clock.now())

    return app
