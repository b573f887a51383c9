"""The rail as its contract says it: messages a switch would send, signed; and what we say to it, recorded.

It decides nothing, it is no switch: a test says what comes next. The real switch and banks are run by
test_with_the_rail.py.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import httpx

from services.payments.domain.rails import NPCI
from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from suuupra.clock import Clock
from suuupra.money import Money
from suuupra.signatures import Signer, generate_key, public_jwks

VPA = "suuupra@cedar"
PAYER = "asha.rao@asha"
RAIL = {
    "kind": "upi",
    "url": "http://upi-core.test",
    "participants": [{"code": "cedar", "name": "Cedar Bank"}, {"code": "asha", "name": "Asha Bank"}],
    "rulebook": {"scale": 1},
}
RULES = NPCI


@dataclass(slots=True)
class RecordedSwitch:
    """The other end of the rail."""

    clock: Clock
    signer: Signer = field(default_factory=lambda: Signer(generate_key(), upi.SWITCH))
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What payments said to us: (api, message)."""
    away: bool = False
    refuses: upi.MessageRefused | None = None
    old: bool = False
    """It refuses as switches did before 409: by the `err` of an acknowledgement."""
    http: httpx.AsyncClient | None = None
    published: dict[str, Any] = field(default_factory=dict)
    """What is at the address of its keys."""
    looked_up: int = 0
    """How often it was asked for them."""

    def transport(self) -> httpx.MockTransport:
        """The network to us."""
        return httpx.MockTransport(self._take)

    async def _take(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectTimeout("no answer", request=request)
        if request.url.path == upi.JWKS_PATH:
            self.looked_up += 1
            return httpx.Response(200, json=self.published)
        body = json.loads(request.content) if request.content else {}
        api = request.url.path.rpartition("/")[2]
        if request.method == "PUT":
            self.said.append(("Registration", upi.Registration.model_validate(body).model_dump(mode="json")))
            keys = public_jwks([self.signer.key])
            return httpx.Response(200, json={"code": api, "switch": "UPI", "switch_jwks": keys})
        message = upi.MESSAGES[Api(api)].model_validate(body)
        self.said.append((api, message.model_dump(mode="json")))
        if self.refuses is not None and not self.old:
            return httpx.Response(409, json=self.refuses.body(instance=request.url.path, request_id=None))
        err = self.refuses.code if self.refuses is not None else None
        ack = upi.Ack(api=Api(api), req_msg_id=body["head"]["msg_id"], ts=self.clock.now(), err=err)
        return httpx.Response(200, json=ack.model_dump(mode="json"))

    def heard(self, api: str) -> list[dict[str, Any]]:
        """What payments said of one kind."""
        return [message for said, message in self.said if said == api]

    async def say(self, api: Api, message: upi.Message, *, body: bytes | None = None) -> httpx.Response:
        """Send a signed message to payments."""
        assert self.http is not None
        sent = body if body is not None else message.model_dump_json().encode()
        path = upi.path_of(api)
        headers = self.signer.sign("POST", path, sent, self.clock.now())
        return await self.http.post(path, content=sent, headers=headers)

    def head(self) -> upi.Head:
        return upi.Head(ts=self.clock.now(), org_id=upi.SWITCH)

    def auth_details(
        self, reference: str, minor: int, transaction: str | None = None, vpa: str = VPA
    ) -> upi.ReqAuthDetails:
        """ReqAuthDetails: may this be paid?"""
        amount = Money(minor, "INR")
        txn = upi.Txn(
            id=transaction or upi.new_txn_id("ASH"),
            type=upi.TxnType.PAY,
            ts=self.clock.now(),
            ref_id=reference,
            cust_ref="123456789012",
            initiation_mode="16",
        )
        return upi.ReqAuthDetails(
            head=self.head(),
            txn=txn,
            payer=upi.Payer(vpa=PAYER, amount=amount),
            payees=[upi.Payee(vpa=vpa, amount=amount, type="ENTITY", mcc="8299")],
        )

    def confirmation(
        self,
        asked: upi.ReqAuthDetails,
        result: Literal["SUCCESS", "FAILURE", "DEEMED"] = "SUCCESS",
        code: Code = Code.SUCCESS,
    ) -> upi.ReqTxnConfirmation:
        """ReqTxnConfirmation: how it ended."""
        txn = upi.Txn(
            id=upi.new_txn_id("UPI"),
            type=upi.TxnType.TXN_CONFIRMATION,
            ts=self.clock.now(),
            ref_id=asked.txn.ref_id,
            cust_ref="123456789012",
            org_txn_id=asked.txn.id,
        )
        return upi.ReqTxnConfirmation(
            head=self.head(),
            txn=txn,
            of=upi.TxnType.PAY,
            result=result,
            code=code,
            payer=asked.payer,
            payees=asked.payees,
        )

    def answer(
        self, asked: dict[str, Any], result: upi.Result = "SUCCESS", code: Code = Code.SUCCESS
    ) -> tuple[Api, upi.Message]:
        """RespPay or RespChkTxn to something that payments said."""
        txn = upi.Txn.model_validate({**asked["txn"], "cust_ref": "210987654321"})
        resp = upi.Resp(req_msg_id=UUID(asked["head"]["msg_id"]), result=result, code=code)
        if txn.type is upi.TxnType.CHK_TXN:
            return Api.RESP_CHK_TXN, upi.RespChkTxn(head=self.head(), txn=txn, resp=resp)
        return Api.RESP_PAY, upi.RespPay(head=self.head(), txn=txn, resp=resp)

    async def authorise(self, reference: str, minor: int) -> upi.ReqAuthDetails:
        """Ask whether a payment may be made; the acknowledgement must be clean."""
        asked = self.auth_details(reference, minor)
        accepted(await self.say(Api.REQ_AUTH_DETAILS, asked))
        return asked

    async def confirm(
        self,
        asked: upi.ReqAuthDetails,
        result: Literal["SUCCESS", "FAILURE", "DEEMED"] = "SUCCESS",
        code: Code = Code.SUCCESS,
    ) -> None:
        """Tell how a payment ended."""
        accepted(await self.say(Api.REQ_TXN_CONFIRMATION, self.confirmation(asked, result, code)))

    async def respond(
        self, asked: dict[str, Any], result: upi.Result = "SUCCESS", code: Code = Code.SUCCESS
    ) -> None:
        """Answer something that payments said."""
        accepted(await self.say(*self.answer(asked, result, code)))


def accepted(answer: httpx.Response) -> None:
    """The message was acknowledged."""
    assert answer.status_code == 200, answer.text
    assert answer.json()["err"] is None, answer.text
