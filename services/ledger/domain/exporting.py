"""The journal as files: CSV, JSON lines, and hledger's plain text. Each journal is rendered by itself."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from services.ledger.domain.accounts import Account
from services.ledger.domain.journals import Journal, Leg, Transfer
from services.ledger.domain.sealing import entries_of, moment, record_of
from suuupra.money import Money

Format = Literal["csv", "json", "hledger"]

TYPES: Final[Mapping[str, str]] = {
    "asset": "A",
    "liability": "L",
    "equity": "E",
    "revenue": "R",
    "expense": "X",
}
"""Kinds as hledger's account types (https://hledger.org/hledger.html#account-types)."""
_HEADER: Final = (
    *("sequence", "leg", "transfer", "journal_id", "kind", "effective_at", "posted_at", "account", "side"),
    *("amount_minor", "amount", "currency", "pending", "reference", "description", "hash"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_header() -> str:
    """The first line."""
    return _csv([_HEADER])


def csv_lines(journal: Journal) -> str:
    """A line for each entry."""
    draft = journal.draft
    return _csv(
        (
            *(journal.sequence, number, transfer_number, draft.id, draft.kind, moment(draft.effective_at)),
            *(moment(journal.posted_at), leg.account, leg.side, leg.amount),
            *(_decimal(leg.amount, transfer.currency), transfer.currency, str(transfer.pending).lower()),
            *(_cell(draft.reference or ""), _cell(draft.description), journal.hash.hex()),
        )
        for number, transfer_number, transfer, leg in draft.legs()
    )


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cell(text: str) -> str:
    """Text that a spreadsheet takes as text (OWASP, CSV injection)."""
    return "'" + text if text.startswith(_FORMULA) else text


def _decimal(minor: int, currency: str) -> str:
    return f"{Money(minor, currency).decimal():f}"


def json_line(journal: Journal) -> str:
    """The record as it is hashed, with its hashes, on one line."""
    record = record_of(journal.sequence, journal.posted_at, journal.draft, entries_of(journal.draft))
    return f'{{"hash":"{journal.hash.hex()}","leaf":"{journal.leaf.hex()}","record":{record.decode()}}}\n'


def hledger_header(accounts: Iterable[Account]) -> str:
    """Directives: how many decimals each currency has, and what kind each account is."""
    known = list(accounts)
    lines = [
        f"commodity {currency} {_with_mark(Money(1000 * 10 ** Money.zero(currency).exponent, currency))}"
        for currency in sorted({account.currency for account in known})
    ]
    lines += [f"account {account.code}  ; type: {TYPES[account.kind]}" for account in known]
    lines += [f"account pending:{account.code}  ; type: {TYPES[account.kind]}" for account in known]
    return "\n".join(lines) + "\n"


def _with_mark(money: Money) -> str:
    """With a decimal mark even where there are no decimals: hledger wants one in a commodity directive."""
    text = f"{money.decimal():f}"
    return text if "." in text else text + "."


def hledger_entry(journal: Journal) -> str:
    """A transaction. What is held is under `pending:`, so that the accounts themselves show what is posted."""
    draft = journal.draft
    if not draft.transfers:
        return ""
    mark = "!" if draft.kind == "hold" else "*"
    tags = f"id:{draft.id}, kind:{draft.kind}, hash:{journal.hash.hex()}"
    if draft.reference:
        tags += f", reference:{_plain(draft.reference)}"
    first = f"{draft.effective_at:%Y-%m-%d} {mark} ({journal.sequence}) {_plain(draft.description)}"
    postings = [_posting(transfer, leg) for _, _, transfer, leg in draft.legs()]
    return "\n".join(["", first, f"    ; {tags}", *postings, ""])


def _plain(text: str) -> str:
    """Text that neither begins a comment nor looks like a tag."""
    return text.replace(";", ",").replace("|", "/").replace(", ", " ") if text else text


def _posting(transfer: Transfer, leg: Leg) -> str:
    account = f"pending:{leg.account}" if transfer.pending else leg.account
    minor = leg.amount if leg.side == "debit" else -leg.amount
    return f"    {account}  {transfer.currency} {_with_mark(Money(minor, transfer.currency))}"


def rendered(form: Format, journals: Iterable[Journal]) -> str:
    """Some journals in one of the formats."""
    if form == "csv":
        return "".join(csv_lines(journal) for journal in journals)
    if form == "json":
        return "".join(json_line(journal) for journal in journals)
    return "".join(hledger_entry(journal) for journal in journals)


def header(form: Format, accounts: Iterable[Account]) -> str:
    """What comes before the journals."""
    if form == "csv":
        return csv_header()
    return hledger_header(accounts) if form == "hledger" else ""
