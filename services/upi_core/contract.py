"""What others may know of the UPI switch: the messages of the rail, how to take part, and UPI links.

A participant (a bank, or a PSP such as payments) has one address. Every message is a POST of JSON to
`{address}` + `path_of(api)`, signed by its sender (suuupra.signatures), acknowledged at once with an `Ack`, and
answered later by a message of its own in the other direction: ReqPay by RespPay, ReqAuthDetails by RespAuthDetails …
An answer names the message it answers in `resp.req_msg_id`. A message without acknowledgement is sent again with the
same `head.msg_id`; its receiver does it once. A message that is refused for good, as an id that comes again with other
content (M4), is answered by 409 and a MessageRefused: a problem with field, rule and fix, whose `code` is the rail's. It
changed nothing, and is not sent again.

A payment, after the payer's PSP has sent ReqPay (type PAY) to the switch:

    switch → payee's PSP   ReqAuthDetails       is it still to be paid, is the amount right?  ← RespAuthDetails
    switch → payer's bank  ReqPay (DEBIT)       ← RespPay
    switch → payee's bank  ReqPay (CREDIT)      ← RespPay; without an answer the payment is deemed (RB)
    switch → payer's PSP   RespPay
    switch → payee's PSP   ReqTxnConfirmation   ← RespTxnConfirmation; sent again until it is acknowledged

A payer who declines makes no ReqPay in the world; here the payee's PSP is told by ReqTxnConfirmation (FAILURE, ZA),
so that the attempt ends at once.

A refund is ReqPay (type REFUND) from the payee's PSP: `txn.org_txn_id` names the payment, the payer is the merchant at
the address that was paid, the payee the one who paid. The account that was credited is debited, whatever the address's is
by now; while its bank takes no part in the rail, the refund is refused at once (XY).

Whoever does not know how a transaction ended asks with ReqChkTxn.

Amounts are minor units (paise); times are UTC; names follow NPCI's UPI technical specification.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.upi_core.domain.codes import MEANINGS, Code
from services.upi_core.domain.links import CURRENCY, InitiationMode, LinkError, UpiLink, Vpa, signed_part
from services.upi_core.domain.messages import (
    JWKS_PATH,
    MESSAGES,
    PATH,
    SWITCH,
    Account,
    Ack,
    Amount,
    Api,
    Credential,
    Head,
    Leg,
    Message,
    ParticipantCode,
    Payee,
    Payees,
    Payer,
    Ref,
    ReqAuthDetails,
    ReqChkTxn,
    ReqComplaint,
    ReqHbt,
    ReqPay,
    ReqTxnConfirmation,
    ReqValAdd,
    Resp,
    RespAuthDetails,
    RespChkTxn,
    RespComplaint,
    RespHbt,
    RespPay,
    RespTxnConfirmation,
    RespValAdd,
    Result,
    Rrn,
    Rules,
    Txn,
    TxnId,
    TxnType,
    new_txn_id,
    path_of,
)
from services.upi_core.domain.pins import EnteredPin, UnreadablePin, open_pin, seal_pin, without_pin
from suuupra import fields
from suuupra.errors import Conflict, FieldError
from suuupra.events import Event
from suuupra.money import Money

__all__ = [
    "CURRENCY",
    "EVENTS",
    "JWKS_PATH",
    "MEANINGS",
    "MESSAGES",
    "PATH",
    "SWITCH",
    "Account",
    "Ack",
    "Address",
    "Amount",
    "Api",
    "Code",
    "Credential",
    "DisputeItem",
    "EnteredPin",
    "Head",
    "InitiationMode",
    "Leg",
    "LegView",
    "LinkError",
    "Message",
    "MessageRefused",
    "ParticipantCode",
    "ParticipantStatus",
    "Participants",
    "Payee",
    "Payees",
    "Payer",
    "Ref",
    "Registered",
    "Registration",
    "ReqAuthDetails",
    "ReqChkTxn",
    "ReqComplaint",
    "ReqHbt",
    "ReqPay",
    "ReqTxnConfirmation",
    "ReqValAdd",
    "Resp",
    "RespAuthDetails",
    "RespChkTxn",
    "RespComplaint",
    "RespHbt",
    "RespPay",
    "RespTxnConfirmation",
    "RespValAdd",
    "Result",
    "Rrn",
    "Rules",
    "SideView",
    "TimelineEntry",
    "TransactionView",
    "Transactions",
    "Txn",
    "TxnId",
    "TxnType",
    "UnreadablePin",
    "UpiLink",
    "Vpa",
    "new_txn_id",
    "open_pin",
    "path_of",
    "refusal_in",
    "seal_pin",
    "signed_part",
    "without_pin",
]


class Address(Message):
    """A payment address that a participant answers for. `account` is where its money is.

    `demo`: the phone page offers it as a payer.
    """

    vpa: Vpa
    name: fields.Title
    type: Literal["PERSON", "ENTITY"] = "PERSON"
    mcc: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] = "0000"
    account: Account
    demo: bool = False


class Registration(Message):
    """PUT /internal/v1/participants/{code}: a participant takes part, or says that something changed.

    The request is signed with a key of `jwks`; once a participant is known, with a key that it registered before, so
    that nobody takes its place. `url` is where its messages go. `handle` is the part of addresses after the @ that
    the participant answers for as a whole (banks); `addresses` are those it names one by one, each replacing what
    was there. `encryption` is the public key (JWK, P-256) that PINs for this bank are encrypted with.
    """

    name: fields.Title
    kind: Literal["bank", "psp"]
    url: fields.WebAddress
    jwks: dict[str, Any]
    encryption: dict[str, Any] | None = None
    handle: (
        Annotated[str, StringConstraints(to_lower=True, pattern=r"^[a-zA-Z][a-zA-Z0-9]{1,63}$")] | None
    ) = None
    addresses: Annotated[list[Address], Field(max_length=1000)] = Field(default_factory=list)


class _View(BaseModel):
    """Answers: a reader ignores what it does not know, so that fields may be added."""

    model_config = ConfigDict(frozen=True)


class Registered(_View):
    """The participant takes part. `switch_jwks` holds the keys that the switch's messages are signed with."""

    code: str
    switch: str
    switch_jwks: dict[str, Any]


class ParticipantStatus(_View):
    """How a participant does: for the rail's status. Shares are over the last minutes, None without traffic."""

    code: str
    name: str
    kind: str
    state: Literal["up", "down", "unknown"]
    last_heartbeat_at: datetime | None
    requests: int
    success_share: float | None
    timeout_share: float | None


class Participants(_View):
    items: list[ParticipantStatus]


# What a transaction's story is told with


class SideView(_View):
    """Who pays or is paid. Account numbers are not told."""

    vpa: str
    name: str
    bank: str


class LegView(_View):
    """What a bank was asked and answered; `code` is its answer, `approval` its entry's reference."""

    leg: str
    bank: str
    sent_at: datetime
    answered_at: datetime | None
    code: str | None
    approval: str | None


class TimelineEntry(_View):
    """One thing that happened: the state it led to, and what is worth knowing about it."""

    at: datetime
    note: str
    state: str
    code: str | None
    detail: dict[str, Any]


class Settlement(BaseModel):
    """How people found out that a disputed transaction ended, by the statements of its banks.

    `credited`: the payee has the money. `refused`: the payee's bank did not credit, so the payer is given it back.
    `reversed`: the payer has it back. `returned`: both had it, and the payee's bank gave it back.
    """

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["credited", "refused", "reversed", "returned"]
    reason: fields.Title
    """Who found out, and by what."""


class DisputeItem(_View):
    """Something that only people can settle. `kind`: late_credit, unresolved, reversal_refused, complaint:CODE …"""

    id: UUID
    txn_id: str
    kind: str
    amount: Money
    raised_by: str
    reason: str
    opened_at: datetime
    due_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    payer_bank: str
    payee_bank: str
    rrn: str


class TransactionView(_View):
    """A transaction with its whole story. `meaning` says its code in words; `refunds` are the ids of its refunds."""

    id: str
    rrn: str
    type: str
    state: str
    code: str | None
    meaning: str | None
    amount: Money
    note: str
    ref_id: str | None
    org_txn_id: str | None
    payer: SideView
    payee: SideView
    payee_psp: str
    created_at: datetime
    legs: list[LegView]
    timeline: list[TimelineEntry]
    disputes: list[UUID]
    refunds: list[str]


class Transactions(_View):
    items: list[TransactionView]


EVENTS: tuple[type[Event], ...] = ()


_WHY: Final = {
    Code.DUPLICATE: (
        "body.txn.id",
        "must be new, or come with the same content again",
        "send it under an id of its own",
    ),
    Code.NOT_FOUND: (
        "body.txn",
        "must be a transaction that both have part in",
        "send the id that it began with, as one who has part in it",
    ),
    Code.PSP_UNKNOWN: ("body.head.org_id", "must be the participant that signs", "send your own code"),
}
_OTHERWISE: Final = (
    "body.txn.type",
    "must be one that its receiver takes",
    "send what the contract says it takes",
)


class MessageRefused(Conflict):
    """A message that cannot be taken, now or later. `code` says why in the rail's words."""

    slug, title = "message-refused", "The message is refused"

    def __init__(self, code: Code, field: str | None = None) -> None:
        usual, rule, fix = _WHY.get(code, _OTHERWISE)
        named = field or usual
        super().__init__(f"{code.value}: {named} {rule}.", errors=[FieldError(named, rule, fix)])
        self.code = code

    def body(self, *, instance: str, request_id: str | None) -> dict[str, Any]:
        return super().body(instance=instance, request_id=request_id) | {"code": self.code.value}


class _Answer(BaseModel):
    """What there may be in an answer to a message: the `code` of a MessageRefused, the `err` of an older Ack."""

    code: Code | None = None
    err: Code | None = None


def refusal_in(answer: bytes) -> str | None:
    """Why a message is refused for good, as the rail's code; or None. 00 is no reason: nothing is done by refusing it."""
    try:
        told = _Answer.model_validate_json(answer)
    except ValidationError:
        return None
    code = told.code or told.err
    return None if code in (None, Code.SUCCESS) else code.value
