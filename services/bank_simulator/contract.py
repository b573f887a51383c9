"""What others may know of a bank: its accounts, statements and books. Amounts are minor units; times are UTC.

A bank takes part in the rail as services/upi_core/contract.py says; what is here is for its operators, for tests, and
for whoever reconciles a statement. None of it is routed by the gateway.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.upi_core.contract import Amount, Vpa
from suuupra import fields
from suuupra.events import Event
from suuupra.money import Money

AccountKind = Literal["customer", "merchant"]
Pin = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,6}$")]
AccountNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{4,34}$")]
"""At most what an IBAN has."""


class _View(BaseModel):
    """Answers: a reader ignores what it does not know, so that fields may be added."""

    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    """Requests: a field that is not known is a mistake of the caller, and said."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewAccount(_Request):
    """An account to be opened. `opening_minor` comes out of the bank's own capital."""

    number: AccountNumber
    name: fields.Title
    kind: AccountKind = "customer"
    vpa: Vpa | None = None
    pin: Pin | None = Field(default=None, repr=False)
    opening_minor: Annotated[int, Field(ge=0, le=10**15)] = 0
    demo: bool = False


class AccountView(_View):
    """`available` is the balance without what is held."""

    number: str
    name: str
    kind: str
    vpa: str | None
    balance: Money
    held: Money
    available: Money
    opened_at: datetime


class Accounts(_View):
    items: list[AccountView]


class NewHold(_Request):
    """Money to be set aside until it is captured, released, or `seconds` are over."""

    reference: fields.Token
    amount: Amount
    seconds: Annotated[int, Field(ge=1, le=30 * 24 * 3600)] = 3600


class HoldView(_View):
    id: UUID
    account: str
    reference: str
    amount: Money
    state: Literal["active", "captured", "released", "expired"]
    expires_at: datetime


class StatementEntry(_View):
    """One booking. `amount` is negative when money left. `rrn` and `txn_id` are the rail's, `ref_id` the merchant's."""

    id: int
    at: datetime
    amount: Money
    balance: Money
    kind: str
    txn_id: str | None
    rrn: str | None
    ref_id: str | None
    counterparty: str | None
    note: str


class Statement(_View):
    """A page of the bookings from `begin` (included) to `end` (not included): opening plus entries is closing, always.

    `next` is the `cursor` of the page that follows, which opens with what this one closes with; null on the last one.
    """

    account: str
    name: str
    bank: str
    begin: datetime
    end: datetime
    opening: Money
    closing: Money
    entries: list[StatementEntry]
    page: int = 1
    next: str | None = None


class Books(_View):
    """The bank's books (M1): `difference` is the sum of all entries, `unfolded` the accounts whose balance is not
    the sum of theirs; nothing and none, always. `settlement` is what the bank owes the rail (negative: is owed)."""

    bank: str
    customers: Money
    settlement: Money
    fees: Money
    capital: Money
    held: Money
    difference: Money
    unfolded: list[str]
    entries: int


EVENTS: tuple[type[Event], ...] = ()
