"""The payer's app, as far as a page can play it: a link becomes a request, which is approved with a PIN or declined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.upi_core.contract import (
    CURRENCY,
    Code,
    Credential,
    Head,
    Payee,
    Payer,
    ReqPay,
    Rules,
    TxnType,
    UpiLink,
    new_txn_id,
    signed_part,
)
from services.upi_core.contract import Txn as MessageTxn
from services.upi_core.domain.links import LinkError
from services.upi_core.domain.payment import AuthRefused, State
from services.upi_core.domain.pins import seal_pin
from services.upi_core.store import participants, requests, transactions
from services.upi_core.store.participants import DemoPayer, Entry
from services.upi_core.store.requests import PaymentRequest
from services.upi_core.store.transactions import Txn
from services.upi_core.usecases import pay, steps
from services.upi_core.usecases.problems import not_found
from services.upi_core.usecases.rail import PHONE, Rail
from suuupra import signatures
from suuupra.db import Transaction
from suuupra.errors import Conflict, Unavailable, invalid
from suuupra.ids import new_id
from suuupra.money import Money, MoneyError

LINK_LIVES: Final = timedelta(minutes=15)
"""How long a link that was opened may be approved; whether it is still to be paid is the payee's word."""


class NotPending(Conflict):
    """The request was approved, declined or has expired."""

    slug, title = "not-pending", "This request is no longer open"


class PayerBankAway(Unavailable):
    """PINs are encrypted with the bank's key, which nobody has told."""

    slug, title = "payer-bank-away", "Your bank takes no payments right now"


@dataclass(frozen=True, slots=True)
class Opened:
    """A link as its payer sees it before choosing an account."""

    link: UpiLink
    payee: Entry
    verified: bool


async def read_link(tx: Transaction, rail: Rail, text: str) -> Opened:
    """What a link asks for. Raises LinkError for one that must not be paid."""
    link = UpiLink.parse(text)
    payee = await participants.find(tx, link.pa)
    if payee is None:
        raise LinkError("pa", "must be an address that somebody has", "ask for a new code")
    return Opened(link, payee, _is_verified(rail, link, payee, text))


def _is_verified(rail: Rail, link: UpiLink, payee: Entry, text: str) -> bool:
    """Whether its merchant signed it. A signature that is there and wrong is no missing one: the link is forged."""
    if link.sign is None:
        return False
    keys = rail.directory.keys(link.orgid or payee.participant)
    genuine = signatures.verify_text(keys, signed_part(text), link.sign)
    if not genuine or (link.orgid or payee.participant) != payee.participant:
        raise LinkError("sign", "must be the payee's own signature", "do not pay it; ask for a new code")
    return True


async def open_link(
    tx: Transaction, rail: Rail, payer_vpa: str, text: str, amount: str | None
) -> PaymentRequest:
    """The request of a link on the phone of a demo payer; opened twice it is one."""
    opened = await read_link(tx, rail, text)
    payer = await participants.demo_payer(tx, payer_vpa)
    if payer is None:
        raise invalid("form.payer", "must be one of the accounts shown", "choose an account")
    minor = opened.link.am.minor if opened.link.am else _amount(amount)
    link = opened.link
    if link.tr is not None:
        before = await requests.same(tx, payer.vpa, link.pa, link.tr, minor)
        if before is not None and before.expires_at > rail.clock.now():
            return before
    now = rail.clock.now()
    request = PaymentRequest(
        id=new_id(),
        txn_id=new_txn_id("PHN"),
        payer_vpa=payer.vpa,
        payee_vpa=link.pa,
        payee_name=opened.payee.name,
        payee_mcc=opened.payee.mcc,
        verified=opened.verified,
        amount_minor=minor,
        note=link.tn,
        ref_id=link.tr,
        mode=link.mode,
        origin="link",
        state="pending",
        expires_at=now + LINK_LIVES,
        created_at=now,
    )
    await requests.add(tx, request)
    return request


def _amount(text: str | None) -> int:
    try:
        amount = Money.parse((text or "").strip(), CURRENCY)
    except MoneyError as error:
        raise invalid(
            "form.amount", f"must be an amount in rupees: {error}", "write for example 499.00"
        ) from None
    if amount.minor <= 0:
        raise invalid("form.amount", "must be more than nothing", "write for example 499.00")
    return amount.minor


async def again(tx: Transaction, rail: Rail, request_id: UUID) -> PaymentRequest:
    """A new request for what a failed one asked."""
    before = await requests.lock(tx, request_id)
    if before is None:
        raise not_found("request", request_id)
    txn = await transactions.find(tx, before.txn_id)
    if before.origin != "link" or txn is None or txn.payment.state is not State.FAILED:
        raise NotPending("Only what failed can be tried again.")
    pending = await requests.same(
        tx, before.payer_vpa, before.payee_vpa, before.ref_id or "", before.amount_minor
    )
    if pending is not None:
        return pending
    now = rail.clock.now()
    fresh = replace(
        before,
        id=new_id(),
        txn_id=new_txn_id("PHN"),
        state="pending",
        created_at=now,
        expires_at=now + LINK_LIVES,
    )
    await requests.add(tx, fresh)
    return fresh


async def approve(tx: Transaction, rail: Rail, request_id: UUID, pin: str) -> Txn | None:
    """Pay it. The PIN is encrypted for the payer's bank at once.

    Its ciphertext is kept until the bank has taken the debit or its time is over, and its clear text nowhere.
    """
    request = await _pending(tx, rail, request_id)
    payer = await participants.find(tx, request.payer_vpa)
    bank = rail.directory.participant(payer.bank) if payer else None
    if bank is None or bank.encryption is None:
        raise PayerBankAway("Nothing was paid. Try again in a moment.", headers={"Retry-After": "5"})
    sealed = seal_pin(bank.encryption, pin, request.txn_id, request.amount_minor)
    await requests.set_state(tx, request.id, "sent")
    if request.origin == "collect":
        txn = await transactions.lock(tx, request.txn_id)
        return None if txn is None else await pay.approve_collect(tx, rail, txn, sealed)
    return await pay.begin(tx, rail, PHONE, _req_pay(rail, request, sealed))


async def decline(tx: Transaction, rail: Rail, request_id: UUID) -> None:
    """Say no (ZA); the payee is told."""
    request = await _pending(tx, rail, request_id)
    await requests.set_state(tx, request.id, "declined")
    if request.origin == "collect":
        txn = await transactions.lock(tx, request.txn_id)
        if txn is not None:
            await steps.apply(tx, rail, txn, AuthRefused(Code.DECLINED), {"by": "payer"})
        return
    await pay.begin(tx, rail, PHONE, _req_pay(rail, request, None), declined=True)


async def _pending(tx: Transaction, rail: Rail, request_id: UUID) -> PaymentRequest:
    request = await requests.lock(tx, request_id)
    if request is None:
        raise not_found("request", request_id)
    if request.state != "pending" or request.expires_at <= rail.clock.now():
        raise NotPending("It was answered already, or its time is over.")
    return request


def _req_pay(rail: Rail, request: PaymentRequest, sealed: str | None) -> ReqPay:
    now = rail.clock.now()
    amount = Money(request.amount_minor, CURRENCY)
    txn = {
        "id": request.txn_id,
        "type": TxnType.PAY,
        "ts": now,
        "note": request.note,
        "ref_id": request.ref_id,
        "initiation_mode": request.mode,
    }
    credential = Credential(data=sealed) if sealed else None
    return ReqPay(
        head=Head(ts=now, org_id=PHONE),
        txn=MessageTxn.model_validate(txn),
        payer=Payer(vpa=request.payer_vpa, amount=amount, credential=credential),
        payees=[Payee(vpa=request.payee_vpa, name=request.payee_name, amount=amount)],
        rules=Rules(),
    )


async def accounts(tx: Transaction) -> Sequence[DemoPayer]:
    """The payers that the phone can play."""
    return await participants.demo_payers(tx)
