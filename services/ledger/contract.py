"""What others may know of the ledger: the models of its API. It publishes no events.

Amounts are minor units of an ISO 4217 currency, always above zero: the side says in which direction. Times are UTC.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from suuupra import fields
from suuupra.events import Event

MAX_TRANSFERS = 20
"""Linked transfers of one journal."""
MAX_LEGS = 100
"""Legs of one transfer."""
MAX_DETAILS = 30
"""Members of a journal's details."""

AccountKind = Literal["asset", "liability", "equity", "revenue", "expense"]
AccountState = Literal["open", "closed"]
Side = Literal["debit", "credit"]
JournalKind = Literal["account", "transfer", "exchange", "hold", "post", "void", "expire", "reversal"]
HoldState = Literal["pending", "posted", "voided", "expired"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _detail_names(details: dict[str, str]) -> dict[str, str]:
    for name in details:
        if not _NAME.fullmatch(name):
            raise ValueError("must have names of lower-case letters, digits and underscores, at most 40")
    return details


AccountCode = Annotated[
    str,
    StringConstraints(
        pattern=r"^(assets|liabilities|equity|revenue|expenses)(:[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?){1,6}:[A-Z]{3}$",
        max_length=200,
    ),
    Field(examples=["assets:upi-clearing:INR"]),
]
"""An account's name for good: its kind, a path, its currency. It never changes, so entries need nothing else."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["INR"])]
Amount = Annotated[int, Field(strict=True, ge=1, le=fields.GREATEST, examples=[49900])]
"""Minor units; strict, because 12.0 would already be a float."""
Bound = Annotated[int, Field(strict=True, ge=-fields.GREATEST, le=fields.GREATEST)]
Description = Annotated[fields.Title, Field(max_length=200)]
Reference = Annotated[fields.Token, Field(examples=["order:0198c5a4-7d3e-7c1a-9c55-0242ac120002"])]
"""What a journal is about, in whatever names it: an order, a payout, a document."""
Detail = Annotated[str, Field(max_length=500), AfterValidator(fields.on_one_line)]
Details = Annotated[dict[str, Detail], Field(max_length=MAX_DETAILS), AfterValidator(_detail_names)]
Rate = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$"), Field(examples=["0.011976"])
]
"""Units of the second currency for one unit of the first, as a decimal number in text."""


class _Model(BaseModel):
    """Answers: a reader ignores what it does not know, so that fields may be added."""

    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    """Requests: a field that is not known is a mistake of the caller, and said."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# The chart of accounts


class NewAccount(_Request):
    """An account to be opened. Kind and currency are those of its code.

    `contra` gives it the other side of its kind: refunds are revenue that debits increase. The bounds are of its
    balance on its own side; holds count as if they were posted already.
    """

    code: AccountCode
    name: fields.Title
    contra: bool = False
    minimum_minor: Bound | None = None
    maximum_minor: Bound | None = None


class AccountEdit(_Request):
    """What of an account may change; what is left out stays. A bound is lifted with null."""

    name: fields.Title | None = None
    minimum_minor: Bound | None = None
    maximum_minor: Bound | None = None
    state: AccountState | None = None


class Balance(_Model):
    """An account's balance. `balance_minor` is on the account's own side: positive is the ordinary case.

    `available_minor` is what is left when everything pending that would lower it is posted.
    """

    account: str
    currency: str
    side: Side
    balance_minor: int
    debits_minor: int
    credits_minor: int
    pending_debits_minor: int
    pending_credits_minor: int
    available_minor: int


class Account(_Model):
    """An account with its balance as of now."""

    code: str
    name: str
    kind: AccountKind
    currency: str
    side: Side
    minimum_minor: int | None
    maximum_minor: int | None
    state: AccountState
    version: int = Field(description="counts changes of the account itself: its ETag")
    balance: Balance


class BalanceAt(_Model):
    """An account's posted balance at a point of effective time, as the books stood after one journal."""

    account: str
    currency: str
    side: Side
    balance_minor: int
    effective_at: datetime | None
    up_to: int = Field(description="the last journal that is counted")


# Journals


class NewLeg(_Request):
    """One side of a transfer."""

    account: AccountCode
    side: Side
    amount_minor: Amount


class NewTransfer(_Request):
    """Legs in one currency whose debits equal their credits."""

    currency: Currency
    legs: Annotated[list[NewLeg], Field(min_length=2, max_length=MAX_LEGS)]


class NewJournal(_Request):
    """Transfers that happen together or not at all. With `expires_at` they are held, to be posted or voided."""

    id: UUID | None = Field(
        default=None,
        description="Names the journal for good; the same id with the same content is the same journal.",
    )
    description: Description
    transfers: Annotated[list[NewTransfer], Field(min_length=1, max_length=MAX_TRANSFERS)]
    effective_at: AwareDatetime | None = Field(default=None, description="When it counts; now when absent.")
    reference: Reference | None = None
    details: Details = Field(default_factory=dict)
    expires_at: AwareDatetime | None = Field(default=None, description="Makes it a hold until then.")


class PostHold(_Request):
    """Post a hold: all of it, or `amount_minor` of it; the rest is released."""

    amount_minor: Amount | None = None
    description: Description | None = None


class VoidHold(_Request):
    """Release a hold."""

    description: Description | None = None


class NewReversal(_Request):
    """Undo a journal by its mirror image. The journal itself stays."""

    description: Description
    effective_at: AwareDatetime | None = None


class NewExchange(_Request):
    """Money of one currency for money of another: two linked transfers over four accounts.

    `source` is credited with the amount, `target` debited with what the rate makes of it, rounded half to even;
    `equity:exchange:CURRENCY` stands between them in each currency.
    """

    source: AccountCode
    target: AccountCode
    amount_minor: Amount = Field(description="minor units of the source's currency")
    rate: Rate
    rate_source: fields.Title
    rate_at: AwareDatetime
    target_minor: Amount | None = Field(
        default=None, description="what the caller expects; it must be what the rate makes"
    )
    description: Description
    effective_at: AwareDatetime | None = None
    reference: Reference | None = None


class Leg(_Model):
    """One entry of a journal. A released amount of a hold is below zero."""

    account: str
    side: Side
    amount_minor: int


class Transfer(_Model):
    """Linked legs in one currency."""

    currency: str
    pending: bool
    legs: list[Leg]


class Journal(_Model):
    """A journal as it is sealed; it never changes. `sequence` is its place in the chain."""

    sequence: int
    id: UUID
    kind: JournalKind
    effective_at: datetime
    posted_at: datetime
    description: str
    reference: str | None
    related_id: UUID | None = Field(
        description="the hold that was resolved, or the journal that was reversed"
    )
    details: dict[str, Any]
    transfers: list[Transfer]
    leaf: str = Field(description="SHA-256 of 0x00 and the record (RFC 6962), hex")
    hash: str = Field(description="the chain up to here, hex")
    hold: HoldState | None = Field(default=None, description="of a hold: what became of it")
    expires_at: datetime | None = None


# Reports


class StatementLine(_Model):
    """An entry of an account with the balance after it, on the account's own side."""

    sequence: int
    leg: int
    journal_id: UUID
    effective_at: datetime
    description: str
    reference: str | None
    side: Side
    amount_minor: int
    balance_minor: int


class Statement(_Model):
    """An account's posted entries by effective time, from `begin` up to and without `end`."""

    account: str
    currency: str
    side: Side
    begin: datetime
    end: datetime
    opening_minor: int = Field(description="the balance before the first line of this page")
    closing_minor: int = Field(description="the balance at `end`")
    lines: list[StatementLine]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one.")


class TrialLine(_Model):
    """An account's posted debits and credits."""

    account: str
    debits_minor: int
    credits_minor: int
    debit_balance_minor: int = Field(description="what is left on the debit side, else 0")
    credit_balance_minor: int = Field(description="what is left on the credit side, else 0")


class TrialCurrency(_Model):
    """The accounts of one currency. The two totals are equal, or the books are wrong."""

    currency: str
    lines: list[TrialLine]
    debit_total_minor: int
    credit_total_minor: int
    balanced: bool


class TrialBalance(_Model):
    """All accounts at a point of effective time."""

    effective_at: datetime | None
    up_to: int
    currencies: list[TrialCurrency]


# Proofs


class Head(_Model):
    """The end of the chain: how many journals, their chain hash, and the root of their Merkle tree, hex."""

    size: int
    hash: str
    root: str


class Checkpoint(_Model):
    """A head that was signed and put where the database cannot reach it."""

    size: int
    hash: str
    root: str
    at: datetime
    key_id: str
    signed: str = Field(description="the same as a JWS (ES256, compact); its key is in /v1/ledger/keys")


class CheckpointList(_Model):
    """Checkpoints, the largest first."""

    items: list[Checkpoint]
    next: str | None = None


class InclusionProof(_Model):
    """That a journal is in the tree of `size` journals (RFC 6962, 2.1.1): hash the record, walk the path, get the root."""

    sequence: int
    size: int
    record: str = Field(description="canonical JSON (RFC 8785) of the journal; leaf = SHA-256(0x00 ‖ record)")
    leaf: str
    path: list[str]
    root: str
    checkpoint: Checkpoint | None = Field(description="the signed head of that size, when there is one")


class ConsistencyProof(_Model):
    """That the tree of `second` journals is the one of `first` with journals appended (RFC 6962, 2.1.2)."""

    first: int
    second: int
    first_root: str
    second_root: str
    path: list[str]


class Keys(_Model):
    """The public keys of checkpoints, the present one first (RFC 7517)."""

    keys: list[dict[str, Any]]


EVENTS: tuple[type[Event], ...] = ()
