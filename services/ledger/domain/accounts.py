"""The chart of accounts: what an account is, and how it comes to be and changes.

An account is a fold of its journals of kind `account`, as its balance is one of all the others: what is not in the
chain cannot be changed unseen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, cast
from uuid import UUID

from services.ledger.domain.journals import Draft, Side, Value
from services.ledger.domain.refusals import AccountClosed, AccountInUse, Malformed
from suuupra.money import UnknownCurrency, exponent_of

AccountKind = Literal["asset", "liability", "equity", "revenue", "expense"]
State = Literal["open", "closed"]

KINDS: Final[Mapping[str, tuple[AccountKind, Side]]] = {
    "assets": ("asset", "debit"),
    "liabilities": ("liability", "credit"),
    "equity": ("equity", "credit"),
    "revenue": ("revenue", "credit"),
    "expenses": ("expense", "debit"),
}
"""First part of a code → kind, and the side that increases such an account."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account. `side` is the side that increases it; bounds are of the balance on that side."""

    code: str
    name: str
    kind: AccountKind
    currency: str
    side: Side
    minimum: int | None = None
    maximum: int | None = None
    state: State = "open"
    version: int = 1


@dataclass(slots=True)
class Totals:
    """What was debited and credited, posted and pending (not yet resolved)."""

    debits: int = 0
    credits: int = 0
    pending_debits: int = 0
    pending_credits: int = 0

    def copy(self) -> "Totals":
        """The same, to go back to."""
        return Totals(self.debits, self.credits, self.pending_debits, self.pending_credits)

    def balance(self, side: Side) -> int:
        """The posted balance on a side."""
        return self.debits - self.credits if side == "debit" else self.credits - self.debits

    def lowest(self, side: Side) -> int:
        """The balance when every hold that lowers it is posted, and none that raises it."""
        if side == "debit":
            return self.debits - self.credits - self.pending_credits
        return self.credits - self.debits - self.pending_debits

    def highest(self, side: Side) -> int:
        """The balance when every hold that raises it is posted, and none that lowers it."""
        if side == "debit":
            return self.debits + self.pending_debits - self.credits
        return self.credits + self.pending_credits - self.debits

    @property
    def empty(self) -> bool:
        """Whether nothing is left and nothing pending."""
        return self.debits == self.credits and not self.pending_debits and not self.pending_credits


def flipped(side: Side) -> Side:
    """The other side."""
    return "credit" if side == "debit" else "debit"


def account_of(
    code: str, name: str, *, contra: bool = False, minimum: int | None = None, maximum: int | None = None
) -> Account:
    """The account that a code describes. Raises Malformed for a code that is none."""
    parts = code.split(":")
    if len(parts) < 3 or parts[0] not in KINDS:
        raise Malformed(
            "code",
            f"must begin with one of {', '.join(KINDS)} and end with a currency",
            "write for example assets:upi-clearing:INR",
        )
    kind, side = KINDS[parts[0]]
    currency = parts[-1]
    try:
        exponent_of(currency)
    except UnknownCurrency as error:
        raise Malformed(
            "code", "must end with an ISO 4217 currency", "write for example assets:upi-clearing:INR"
        ) from error
    account = Account(code, name, kind, currency, flipped(side) if contra else side, minimum, maximum)
    check_bounds(account)
    return account


def check_bounds(account: Account) -> None:
    """Raise Malformed when no balance could be within the bounds."""
    low, high = account.minimum, account.maximum
    if low is not None and high is not None and low > high:
        raise Malformed(
            "minimum_minor", f"must be at most the maximum, {high}", "lower it, or raise the maximum"
        )


def check_closing(account: Account, totals: Totals) -> None:
    """Raise AccountInUse unless nothing is left on the account."""
    if not totals.empty:
        raise AccountInUse(
            "state",
            f"must stay open while {account.code} has a balance of {totals.balance(account.side)}"
            f" and holds of {totals.pending_debits + totals.pending_credits} minor units",
            "move the balance and resolve the holds first",
        )


def check_open(account: Account, field: str) -> None:
    """Raise AccountClosed."""
    if account.state != "open":
        raise AccountClosed(
            field, f"must be an open account; {account.code} is closed", "open it again, or choose another"
        )


def described(account: Account) -> dict[str, Value]:
    """An account as the details of its journal."""
    return {
        "code": account.code,
        "name": account.name,
        "kind": account.kind,
        "currency": account.currency,
        "side": account.side,
        "minimum": None if account.minimum is None else str(account.minimum),
        "maximum": None if account.maximum is None else str(account.maximum),
        "state": account.state,
        "version": account.version,
    }


def read(details: Mapping[str, Value]) -> Account:
    """The account that a journal's details describe. Raises ValueError, KeyError or TypeError for others."""
    low, high = details["minimum"], details["maximum"]
    return Account(
        str(details["code"]),
        str(details["name"]),
        cast("AccountKind", details["kind"]),
        str(details["currency"]),
        cast("Side", details["side"]),
        None if low is None else int(low),
        None if high is None else int(high),
        cast("State", details["state"]),
        int(details["version"] or 0),
    )


def opening(journal_id: UUID, account: Account, at: datetime) -> Draft:
    """The journal that opens an account."""
    return Draft(
        journal_id,
        "account",
        at,
        f"opened {account.code}",
        reference=account.code,
        details=described(account),
    )


def change(journal_id: UUID, account: Account, at: datetime) -> Draft:
    """The journal that makes the account what is given, which is its next version."""
    following = replace(account, version=account.version + 1)
    return Draft(
        journal_id,
        "account",
        at,
        f"changed {account.code}",
        reference=account.code,
        details=described(following),
    )
