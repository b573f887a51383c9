"""The UPI rail, as the merchant's PSP sees it: what we say to the switch."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from joserfc.jwk import ECKey

from services.payments.contract import RailRegistration
from services.payments.domain.events import Method
from services.payments.domain.payment import Attempt, Payment, Receipt, Refund
from services.payments.domain.rails import Outgoing, Rules
from services.upi_core import contract as upi
from services.upi_core.contract import Api
from suuupra.money import Money
from suuupra.signatures import public_jwks, sign_text

PREFIX: Final = "SUP"
"""The first letters of transactions that we begin."""
_MODES: Final[dict[Method, upi.InitiationMode]] = {Method.UPI_QR: "16", Method.UPI_INTENT: "05"}
"""Signed dynamic QR, signed intent (NPCI, UPI linking specification)."""
REGISTRATION: Final = "Registration"
LONGEST_NOTE: Final = 50


class LinkKeyMissing(RuntimeError):
    """A link was to be made in a process that has no key to sign it with."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who we are on a rail."""

    code: str
    name: str
    category: str
    account: str
    url: str


@dataclass(frozen=True, slots=True)
class UpiRail:
    """One UPI switch. `key` signs links; only who begins attempts needs it."""

    name: str
    registration: RailRegistration
    merchant: Merchant
    rules: Rules
    key: ECKey | None = None

    @property
    def methods(self) -> frozenset[Method]:
        return frozenset(_MODES)

    def takes(self, currency: str) -> bool:
        """Rupees and nothing else."""
        return currency == upi.CURRENCY

    @property
    def settlement(self) -> str:
        """The bank at which we have our account."""
        return self.registration.settlement or self.registration.participants[0].code

    @property
    def vpa(self) -> str:
        """Our payment address, for attempts that begin now."""
        return f"{self.merchant.code}@{self.settlement}".replace("-", "").lower()

    @property
    def account(self) -> upi.Account:
        """Where money that comes to that address is to go."""
        return upi.Account(bank=self.settlement, number=self.registration.account or self.merchant.account)

    @staticmethod
    def payee_of(link: str) -> str:
        """The address that a link of ours has paid: ours when it was made, whichever bank our account is at by now."""
        return upi.UpiLink.parse(link).pa

    def new_transaction(self) -> str:
        """35 letters and digits that nobody else makes."""
        return upi.new_txn_id(PREFIX)

    def present(self, payment: Payment, attempt: Attempt) -> str:
        """A signed link for this attempt alone; `tr` is its reference."""
        if self.key is None:
            raise LinkKeyMissing("this process cannot begin attempts")
        link = upi.UpiLink(
            pa=self.vpa,
            pn=self.merchant.name,
            am=payment.amount,
            tr=attempt.reference,
            tn=f"Order {payment.order_number}"[:LONGEST_NOTE],
            mode=_MODES[attempt.method],
            mc=self.merchant.category,
            orgid=self.merchant.code,
        )
        text = link.text()
        return f"{text}&sign={sign_text(self.key, text)}"

    def ask_refund(self, payment: Payment, came: Receipt, refund: Refund, now: datetime) -> Outgoing:
        """ReqPay of type REFUND: from us, at the address that was paid, to who paid.

        No account: the switch knows to which one the money went, and ours may be another by now.
        """
        head = self.head(now)
        txn = upi.Txn(
            id=refund.transactions[-1],
            type=upi.TxnType.REFUND,
            ts=now,
            note=f"Refund of order {payment.order_number}"[:LONGEST_NOTE],
            ref_id=str(refund.id),
            org_txn_id=came.transaction,
        )
        payer = upi.Payer(vpa=self.payee_of(came.link), name=self.merchant.name, amount=refund.amount)
        payee = upi.Payee(vpa=came.payer, amount=refund.amount)
        message = upi.ReqPay(head=head, txn=txn, payer=payer, payees=[payee])
        return self.outgoing(Api.REQ_PAY, message, head, payment.id)

    def ask_outcome(self, payment: Payment, transaction: str, now: datetime) -> Outgoing:
        """ReqChkTxn about a transaction."""
        head = self.head(now)
        txn = upi.Txn(id=self.new_transaction(), type=upi.TxnType.CHK_TXN, ts=now, org_txn_id=transaction)
        return self.outgoing(Api.REQ_CHK_TXN, upi.ReqChkTxn(head=head, txn=txn), head, payment.id)

    def payee(self, vpa: str, amount: Money) -> upi.Payee:
        """Ourselves, as the one who is paid at an address of ours.

        The account of one that we had before is the one that the switch knows it by.
        """
        return upi.Payee(
            vpa=vpa,
            name=self.merchant.name,
            amount=amount,
            type="ENTITY",
            mcc=self.merchant.category,
            account=self.account if vpa == self.vpa else None,
        )

    def registration_of(self, key: ECKey, message_id: UUID) -> Outgoing:
        """What makes us a participant of the switch, or renews it."""
        address = upi.Address(
            vpa=self.vpa,
            name=self.merchant.name,
            type="ENTITY",
            mcc=self.merchant.category,
            account=self.account,
        )
        wanted = upi.Registration(
            name=self.merchant.name,
            kind="psp",
            url=self.merchant.url,
            jwks=public_jwks([key]),
            addresses=[address],
        )
        path = f"/internal/v1/participants/{self.merchant.code}"
        return Outgoing(message_id, self.name, REGISTRATION, None, path, wanted.model_dump_json())

    def head(self, now: datetime) -> upi.Head:
        """The beginning of something that we say."""
        return upi.Head(ts=now, org_id=self.merchant.code)

    def outgoing(
        self,
        api: Api,
        message: upi.Message,
        head: upi.Head,
        payment_id: UUID | None,
        useless_after: datetime | None = None,
    ) -> Outgoing:
        """A message, ready to be kept and sent."""
        return Outgoing(
            head.msg_id,
            self.name,
            api,
            payment_id,
            upi.path_of(api),
            message.model_dump_json(),
            useless_after,
        )


def masked(vpa: str) -> str:
    """An address as it may be shown to others than its owner: `as…@banyan`."""
    name, _, handle = vpa.partition("@")
    return f"{name[:2]}…@{handle}" if handle else ""


def keys_of(answer: bytes) -> dict[str, Any]:
    """The switch's keys, from its answer to our registration. Raises ValueError."""
    found: dict[str, Any] = upi.Registered.model_validate(json.loads(answer)).switch_jwks
    return found
