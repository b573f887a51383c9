"""The messages of the rail, one model each; see contract.py for how they follow one another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from services.upi_core.domain.codes import Code
from services.upi_core.domain.links import CURRENCY, InitiationMode, Vpa
from suuupra import fields
from suuupra.ids import new_id
from suuupra.money import Money

PATH: Final = "/internal/v1/upi"
"""Where every participant and the switch take messages."""
SWITCH: Final = "UPI"
"""The participant code of the switch itself: the sender of what it signs."""
JWKS_PATH: Final = "/internal/v1/jwks.json"
"""Where the switch publishes the keys it signs with."""


class Api(StrEnum):
    """The messages."""

    REQ_PAY = "ReqPay"
    RESP_PAY = "RespPay"
    REQ_AUTH_DETAILS = "ReqAuthDetails"
    RESP_AUTH_DETAILS = "RespAuthDetails"
    REQ_CHK_TXN = "ReqChkTxn"
    RESP_CHK_TXN = "RespChkTxn"
    REQ_TXN_CONFIRMATION = "ReqTxnConfirmation"
    RESP_TXN_CONFIRMATION = "RespTxnConfirmation"
    REQ_VAL_ADD = "ReqValAdd"
    RESP_VAL_ADD = "RespValAdd"
    REQ_HBT = "ReqHbt"
    RESP_HBT = "RespHbt"
    REQ_COMPLAINT = "ReqComplaint"
    RESP_COMPLAINT = "RespComplaint"


def path_of(api: Api) -> str:
    """The path of a message, below its receiver's address."""
    return f"{PATH}/{api}"


class TxnType(StrEnum):
    """What a transaction, or one leg of it, is."""

    PAY = "PAY"
    COLLECT = "COLLECT"
    REFUND = "REFUND"
    DEBIT = "DEBIT"
    CREDIT = "CREDIT"
    REVERSAL = "REVERSAL"
    CHK_TXN = "ChkTxn"
    TXN_CONFIRMATION = "TxnConfirmation"
    VAL_ADD = "ValAdd"
    HBT = "Hbt"
    COMPLAINT = "Complaint"


Leg = Literal[TxnType.DEBIT, TxnType.CREDIT, TxnType.REVERSAL]
"""What a bank does once per transaction."""
Result = Literal["SUCCESS", "FAILURE", "DEEMED", "PENDING"]
"""How something ended. PENDING is only said by RespChkTxn: ask again later. DEEMED counts as paid (RB)."""


def _positive(amount: Money) -> Money:
    if amount.minor <= 0:
        raise ValueError("must be more than nothing")
    if amount.currency != CURRENCY:
        raise ValueError(f"must be in {CURRENCY}")
    return amount


Amount = Annotated[Money, AfterValidator(_positive)]
"""More than nothing, in rupees: `{"minor": 49900, "currency": "INR"}` is ₹499.00."""
ParticipantCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,39}$")]
TxnId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{35}$")]
"""35 letters and digits, the first three of whoever made it (UPI technical specification)."""
Rrn = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
"""The retrieval reference number that statements show; the switch gives it."""


def new_txn_id(prefix: str = "SUP") -> str:
    """A transaction id that nobody else makes. `prefix`: three letters of its maker."""
    return f"{prefix}{new_id().hex}"


class Message(BaseModel):
    """Something that is sent. A field that is not known refuses it: what is signed must be understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Head(Message):
    """Who says it, when, and the id under which it is said once."""

    ver: Literal["2.0"] = "2.0"
    ts: AwareDatetime
    org_id: ParticipantCode
    msg_id: UUID = Field(default_factory=new_id)


class Txn(Message):
    """The transaction. `ref_id` is the merchant's own reference (`tr` of the link); `cust_ref` the RRN, once there is one."""

    id: TxnId
    type: TxnType
    ts: AwareDatetime
    note: fields.Line = ""
    ref_id: fields.Token | None = None
    ref_url: fields.WebAddress | None = None
    cust_ref: Rrn | None = None
    initiation_mode: InitiationMode = "00"
    purpose: fields.Token = "00"
    org_txn_id: TxnId | None = None
    """REFUND: the payment it takes back. ChkTxn, TxnConfirmation, Complaint: the transaction asked about."""


class Account(Message):
    """An account at a bank of the rail."""

    bank: ParticipantCode
    number: fields.Token


class Credential(Message):
    """The payer's PIN, encrypted by the payer's PSP for the payer's bank alone (JWE, ECDH-ES, A256GCM).

    Inside: `{"pin": "…", "txn_id": "…", "minor": …}`, so that it is good for one transaction and one amount.
    """

    type: Literal["PIN"] = "PIN"
    data: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[A-Za-z0-9._-]+$", repr=False)]


class Payer(Message):
    vpa: Vpa
    name: fields.Line = ""
    amount: Amount
    account: Account | None = None
    credential: Credential | None = None


class Payee(Message):
    """`type` ENTITY is a merchant, with its category code (ISO 18245) in `mcc`; 8299 is education."""

    vpa: Vpa
    name: fields.Line = ""
    amount: Amount
    type: Literal["PERSON", "ENTITY"] = "PERSON"
    mcc: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] = "0000"
    account: Account | None = None


Payees = Annotated[list[Payee], Field(min_length=1, max_length=1)]
"""NPCI's form has room for several; this rail takes one."""


class Rules(Message):
    """What the sender asks of a payment: not after `expires_at`."""

    expires_at: AwareDatetime | None = None


class Ref(Message):
    """How one side of a payment ended at its bank. `approval` is the bank's own entry reference."""

    type: Literal["PAYER", "PAYEE"]
    vpa: Vpa
    code: Code
    amount: Amount
    approval: fields.Token | None = None
    reversal_code: Code | None = None


class Resp(Message):
    """The outcome. `code` is 00 when `result` is SUCCESS, and another when it is FAILURE."""

    req_msg_id: UUID
    result: Result
    code: Code
    refs: Annotated[list[Ref], Field(max_length=4)] = Field(default_factory=list)

    @field_validator("code")
    @classmethod
    def _as_the_result(cls, code: Code, read: ValidationInfo) -> Code:
        """Who reads the one must not come to another end than who reads the other."""
        result = read.data.get("result")
        if (result == "SUCCESS" and code != Code.SUCCESS) or (result == "FAILURE" and code == Code.SUCCESS):
            raise ValueError(f"must be 00 for SUCCESS and no 00 for FAILURE, not {code.value} for {result}")
        return code


class ReqPay(Message):
    """Pay, refund, or one leg: debit, credit, reversal. `risk_score` 0–100 is the sender's own."""

    head: Head
    txn: Txn
    payer: Payer
    payees: Payees
    rules: Rules = Rules()
    risk_score: Annotated[int, Field(ge=0, le=100)] = 0

    @property
    def payee(self) -> Payee:
        return self.payees[0]


class RespPay(Message):
    head: Head
    txn: Txn
    resp: Resp


class ReqAuthDetails(Message):
    """The switch asks the payee's PSP whether it takes this payment. `txn.ref_id` is the merchant's reference."""

    head: Head
    txn: Txn
    payer: Payer
    payees: Payees

    @property
    def payee(self) -> Payee:
        return self.payees[0]


class RespAuthDetails(Message):
    """SUCCESS, or FAILURE with U19 (no longer payable), U12 (amount), U69 (expired) …

    With the payee's `account` the money goes there; without one, to the account that its address is registered with.
    """

    head: Head
    txn: Txn
    resp: Resp
    payees: Annotated[list[Payee], Field(max_length=1)] = Field(default_factory=list)


class ReqChkTxn(Message):
    """How did `txn.org_txn_id` end? From the switch to a bank, `leg` says which leg is meant."""

    head: Head
    txn: Txn
    leg: Leg | None = None


class RespChkTxn(Message):
    """The outcome of the transaction or leg asked about; U48 when there is none."""

    head: Head
    txn: Txn
    resp: Resp
    leg: Leg | None = None


class ReqTxnConfirmation(Message):
    """The switch tells the payee's PSP how the payment (or its own refund) ended, and again when that changes.

    A payment that was DEEMED may be confirmed a second time: SUCCESS when the credit was found, FAILURE after it was
    taken back. `txn.org_txn_id` is the transaction, `txn.cust_ref` its RRN, `txn.ref_id` the merchant's reference.
    """

    head: Head
    txn: Txn
    of: Literal[TxnType.PAY, TxnType.COLLECT, TxnType.REFUND]
    result: Literal["SUCCESS", "FAILURE", "DEEMED"]
    code: Code
    payer: Payer
    payees: Payees

    @property
    def payee(self) -> Payee:
        return self.payees[0]


class RespTxnConfirmation(Message):
    head: Head
    txn: Txn
    resp: Resp


class ReqValAdd(Message):
    """Whose address is `payee_vpa`?"""

    head: Head
    txn: Txn
    payee_vpa: Vpa


class RespValAdd(Message):
    """`name` is masked for persons and whole for merchants."""

    head: Head
    txn: Txn
    resp: Resp
    name: fields.Line = ""
    type: Literal["PERSON", "ENTITY"] | None = None
    mcc: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] = "0000"


class ReqHbt(Message):
    """Are you there?"""

    head: Head
    txn: Txn


class RespHbt(Message):
    head: Head
    txn: Txn
    resp: Resp


class ReqComplaint(Message):
    """A participant raises a dispute (UDIR) about `txn.org_txn_id`."""

    head: Head
    txn: Txn
    reason: fields.Line


class RespComplaint(Message):
    """`dispute` is the number of the dispute item."""

    head: Head
    txn: Txn
    resp: Resp
    dispute: UUID | None = None


class Ack(Message):
    """The receiver has the message: it is not sent again. `err` is what participants refused it with before 409 was."""

    api: Api
    req_msg_id: UUID
    ts: AwareDatetime
    err: Code | None = None


MESSAGES: Final[Mapping[Api, type[Message]]] = {
    Api.REQ_PAY: ReqPay,
    Api.RESP_PAY: RespPay,
    Api.REQ_AUTH_DETAILS: ReqAuthDetails,
    Api.RESP_AUTH_DETAILS: RespAuthDetails,
    Api.REQ_CHK_TXN: ReqChkTxn,
    Api.RESP_CHK_TXN: RespChkTxn,
    Api.REQ_TXN_CONFIRMATION: ReqTxnConfirmation,
    Api.RESP_TXN_CONFIRMATION: RespTxnConfirmation,
    Api.REQ_VAL_ADD: ReqValAdd,
    Api.RESP_VAL_ADD: RespValAdd,
    Api.REQ_HBT: ReqHbt,
    Api.RESP_HBT: RespHbt,
    Api.REQ_COMPLAINT: ReqComplaint,
    Api.RESP_COMPLAINT: RespComplaint,
}
