"""The fold: what a journal does to accounts and balances, and what forbids it. The verifier runs the same code."""

from collections.abc import Collection
from dataclasses import dataclass, field

from services.ledger.domain import accounts
from services.ledger.domain.accounts import Account, Totals
from services.ledger.domain.journals import MAX_MINOR, RESOLUTIONS, Draft, Leg, Transfer
from services.ledger.domain.refusals import (
    BoundBroken,
    CodeTaken,
    CurrencyMixed,
    Malformed,
    Overflow,
    Unbalanced,
    UnknownAccount,
)


@dataclass(slots=True)
class Book:
    """Some accounts with their balances, or all of them."""

    accounts: dict[str, Account] = field(default_factory=dict)
    totals: dict[str, Totals] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    """Accounts whose balance or definition a draft has changed."""

    def apply(self, draft: Draft) -> None:
        """Make a draft's changes, all or none. Raises Refusal."""
        if draft.kind == "account":
            self._define(draft)
            return
        before: dict[str, Totals] = {}
        try:
            self._post(draft, before)
        except Exception:
            self.totals.update(before)
            raise
        self.touched.update(before)

    def _post(self, draft: Draft, before: dict[str, Totals]) -> None:
        releases = draft.kind in RESOLUTIONS
        if not draft.transfers:
            raise Malformed("transfers", "must have at least one", "send what is to be moved")
        for index, transfer in enumerate(draft.transfers):
            place = f"transfers[{index}]"
            check_balanced(transfer, place)
            for number, leg in enumerate(transfer.legs):
                self._add(transfer, leg, f"{place}.legs[{number}]", before, releases)
        for code in before:
            if not releases:  # what was within bounds as a hold is so when it is posted, or released
                check_within(self.accounts[code], self.totals[code], "transfers")

    def _add(
        self, transfer: Transfer, leg: Leg, place: str, before: dict[str, Totals], releases: bool
    ) -> None:
        account = self.accounts.get(leg.account)
        if account is None:
            raise UnknownAccount(
                f"{place}.account", f"must be an account; there is no {leg.account}", "open it first"
            )
        if account.currency != transfer.currency:
            raise CurrencyMixed(
                f"{place}.account",
                f"must be in {transfer.currency} like its transfer; {leg.account} is in {account.currency}",
                "put it into a transfer of its own, linked by an exchange",
            )
        if not releases:
            accounts.check_open(account, f"{place}.account")
        if (
            leg.amount == 0
            or abs(leg.amount) > MAX_MINOR
            or (leg.amount < 0 and not (releases and transfer.pending))
        ):
            raise Malformed(
                f"{place}.amount_minor", f"must be 1 to {MAX_MINOR}", "swap the sides instead of the sign"
            )
        totals = self.totals[leg.account]
        if leg.account not in before:
            before[leg.account] = totals.copy()
        _count(totals, leg, transfer.pending)
        if max(totals.debits, totals.credits, totals.pending_debits, totals.pending_credits) > MAX_MINOR:
            raise Overflow(
                f"{place}.amount_minor",
                f"must leave what {leg.account} was debited and credited within {MAX_MINOR}",
                "use another account",
            )

    def _define(self, draft: Draft) -> None:
        account = accounts.read(draft.details)
        known = self.accounts.get(account.code)
        if known is None and account.version != 1:
            raise Malformed("details.version", "must be 1 for a new account", "open it first")
        if known is not None and account.version == 1:
            raise CodeTaken("code", f"must be new; {account.code} is there", "use the one that is there")
        if known is not None and _fixed(known) != _fixed(account):
            raise Malformed("details", "must keep code, kind, currency and side", "open another account")
        if known is not None and account.version != known.version + 1:
            raise Malformed("details.version", f"must be {known.version + 1}", "read the account again")
        totals = self.totals.setdefault(account.code, Totals())
        if account.state == "closed":
            accounts.check_closing(account, totals)
        check_within(account, totals, "minimum_minor")
        self.accounts[account.code] = account
        self.touched.add(account.code)


def _fixed(account: Account) -> tuple[str, ...]:
    return (account.code, account.kind, account.currency, account.side)


def _count(totals: Totals, leg: Leg, pending: bool) -> None:
    if pending:
        if leg.side == "debit":
            totals.pending_debits += leg.amount
        else:
            totals.pending_credits += leg.amount
    elif leg.side == "debit":
        totals.debits += leg.amount
    else:
        totals.credits += leg.amount


def check_balanced(transfer: Transfer, place: str) -> None:
    """Raise Unbalanced unless debits equal credits."""
    debits = sum(leg.amount for leg in transfer.legs if leg.side == "debit")
    credits_ = sum(leg.amount for leg in transfer.legs if leg.side == "credit")
    if debits != credits_ or not transfer.legs:
        raise Unbalanced(
            f"{place}.legs",
            f"must have debits equal to credits; they are {debits} and {credits_} minor units of {transfer.currency}",
            f"correct a leg by {abs(debits - credits_)}",
        )


def check_within(account: Account, totals: Totals, field_: str) -> None:
    """Raise BoundBroken when the balance, holds included, is outside of the account's bounds."""
    low, high = totals.lowest(account.side), totals.highest(account.side)
    if account.minimum is not None and low < account.minimum:
        raise BoundBroken(
            field_,
            f"must leave {account.code} at {account.minimum} or more; it would be {low}",
            f"move {account.minimum - low} less, or lower the account's minimum",
        )
    if account.maximum is not None and high > account.maximum:
        raise BoundBroken(
            field_,
            f"must leave {account.code} at {account.maximum} or less; it would be {high}",
            f"move {high - account.maximum} less, or raise the account's maximum",
        )


def accounts_of(drafts: Collection[Draft]) -> set[str]:
    """The codes that drafts touch."""
    moved = {leg.account for draft in drafts for transfer in draft.transfers for leg in transfer.legs}
    return moved | {str(draft.details["code"]) for draft in drafts if draft.kind == "account"}
