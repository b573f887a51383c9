"""A merchant's PSP, as payments is one: takes the switch's messages, judges what is to be paid, asks for refunds."""

import asyncio
import json
from typing import Any, Literal
from uuid import UUID

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from joserfc.jwk import Key

from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from suuupra import jwks, signatures
from suuupra.clock import Clock
from suuupra.money import Money
from suuupra.signatures import Signer, Verifier

CODE = "payments"
VPA = "suuupra@asha"
ACCOUNT = "SUUUPRA001"


class Merchant:
    """`auth` says how it answers ReqAuthDetails: 00 takes the payment, another code refuses, None is silence.

    `refuses`: it takes no message, for good; when it is `old`, by the `err` of an Ack, as before there was 409.
    """

    def __init__(
        self, switch: str, url: str, clock: Clock, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.key = signatures.generate_key()
        self.signer = Signer(self.key, CODE)
        self.clock = clock
        self.url = url
        self.auth: Code | None = Code.SUCCESS
        self.refuses: Code | None = None
        self.old = False
        self.received: list[upi.Message] = []
        self.client = httpx.AsyncClient(base_url=switch, transport=transport, timeout=5)
        self.tasks: set[asyncio.Task[None]] = set()
        self._seen: set[UUID] = set()
        self._switch_keys: dict[str, Key] = {}
        self.app = FastAPI()
        self.app.add_api_route(
            f"{upi.PATH}/{{api}}", self.take, methods=["POST"], status_code=202, response_model=None
        )

    # What it does

    def take_over(self, other: "Merchant") -> None:
        """Be the one that registered, with its keys."""
        self.key, self.signer, self._switch_keys = other.key, other.signer, other._switch_keys
        self.received += other.received

    async def register(self) -> httpx.Response:
        account = upi.Account(bank="asha", number=ACCOUNT)
        address = upi.Address(vpa=VPA, name="Suuupra", type="ENTITY", mcc="8299", account=account)
        registration = upi.Registration(
            name="Suuupra payments",
            kind="psp",
            url=self.url,
            jwks=signatures.public_jwks([self.key]),
            addresses=[address],
        )
        response = await self.send("PUT", f"/internal/v1/participants/{CODE}", registration.model_dump_json())
        if response.is_success:
            self._switch_keys = jwks.parse(json.dumps(response.json()["switch_jwks"]))
        return response

    async def send(self, method: str, path: str, body: str, signer: Signer | None = None) -> httpx.Response:
        content = body.encode()
        headers = (signer or self.signer).sign(method, path, content, self.clock.now())
        return await self.client.request(
            method, path, content=content, headers={**headers, "content-type": "application/json"}
        )

    async def say(self, api: Api, message: upi.Message) -> upi.Ack:
        response = await self.send("POST", upi.path_of(api), message.model_dump_json(exclude_none=True))
        assert response.status_code == 202, response.text
        return upi.Ack.model_validate_json(response.content)

    async def refused(self, api: Api, message: upi.Message) -> dict[str, Any]:
        """Say it, and be refused for good: the problem."""
        response = await self.send("POST", upi.path_of(api), message.model_dump_json(exclude_none=True))
        assert response.status_code == 409, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        return problem

    def link(self, minor: int = 49_900, ref: str = "A1", note: str = "Order 12", **changes: Any) -> str:
        """A signed payment link."""
        values: dict[str, Any] = {
            "pa": VPA, "pn": "Suuupra", "am": Money(minor, "INR"), "tr": ref, "tn": note,
            "mode": "16", "mc": "8299", "orgid": CODE,
        }  # fmt: skip
        text = upi.UpiLink(**(values | changes)).text()
        return f"{text}&sign={signatures.sign_text(self.key, text)}"

    def head(self) -> upi.Head:
        return upi.Head(ts=self.clock.now(), org_id=CODE)

    def txn(self, kind: upi.TxnType, **more: Any) -> upi.Txn:
        return upi.Txn.model_validate(
            {"id": upi.new_txn_id("MER"), "type": kind, "ts": self.clock.now(), **more}
        )

    def refund(self, paid: str, payer_vpa: str, minor: int) -> upi.ReqPay:
        amount = Money(minor, "INR")
        return upi.ReqPay(
            head=self.head(),
            txn=self.txn(upi.TxnType.REFUND, org_txn_id=paid, ref_id="R1"),
            payer=upi.Payer(vpa=VPA, amount=amount),
            payees=[upi.Payee(vpa=payer_vpa, amount=amount)],
        )

    def check(self, txn_id: str) -> upi.ReqChkTxn:
        return upi.ReqChkTxn(head=self.head(), txn=self.txn(upi.TxnType.CHK_TXN, org_txn_id=txn_id))

    # What it is told

    async def take(self, api: Api, request: Request) -> upi.Ack | JSONResponse:
        body = await request.body()

        async def find(sender: str, kid: str) -> Key | None:
            return self._switch_keys.get(kid) if sender == upi.SWITCH else None

        await Verifier(find).verify("POST", request.url.path, body, request.headers, self.clock.now())
        message: Any = upi.MESSAGES[api].model_validate_json(body)
        ack = upi.Ack(api=api, req_msg_id=message.head.msg_id, ts=self.clock.now(), err=self.refuses)
        if self.refuses is not None:
            problem = upi.MessageRefused(self.refuses).body(instance=request.url.path, request_id=None)
            return ack if self.old else JSONResponse(problem, 409)
        if message.head.msg_id not in self._seen:
            self._seen.add(message.head.msg_id)
            self.received.append(message)
            self._answer(message)
        return ack

    def _answer(self, message: upi.Message) -> None:
        match message:
            case upi.ReqAuthDetails() if self.auth is not None:
                self._later(Api.RESP_AUTH_DETAILS, self._judged(message, self.auth))
            case upi.ReqTxnConfirmation():
                resp = upi.Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS)
                answer = upi.RespTxnConfirmation(head=self.head(), txn=message.txn, resp=resp)
                self._later(Api.RESP_TXN_CONFIRMATION, answer)
            case upi.ReqHbt():
                resp = upi.Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS)
                self._later(Api.RESP_HBT, upi.RespHbt(head=self.head(), txn=message.txn, resp=resp))
            case _:
                pass

    def _judged(self, message: upi.ReqAuthDetails, code: Code) -> upi.RespAuthDetails:
        result: Literal["SUCCESS", "FAILURE"] = "SUCCESS" if code is Code.SUCCESS else "FAILURE"
        account = upi.Account(bank="asha", number=ACCOUNT)
        payees = [message.payee.model_copy(update={"account": account})] if result == "SUCCESS" else []
        resp = upi.Resp(req_msg_id=message.head.msg_id, result=result, code=code)
        return upi.RespAuthDetails(head=self.head(), txn=message.txn, resp=resp, payees=payees)

    def _later(self, api: Api, message: upi.Message) -> None:
        async def say() -> None:
            await self.say(api, message)

        task = asyncio.get_running_loop().create_task(say())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def told(self, kind: type[Any]) -> list[Any]:
        """What came of one kind, in order."""
        return [message for message in self.received if isinstance(message, kind)]

    def results(self) -> list[tuple[str, str]]:
        """How it was told that payments ended: (result, code), in order."""
        return [(one.result, one.code.value) for one in self.told(upi.ReqTxnConfirmation)]

    async def close(self) -> None:
        await self.client.aclose()
