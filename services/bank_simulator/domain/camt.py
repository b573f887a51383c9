"""Statements as banks exchange them: ISO 20022, camt.053.001.08 (BankToCustomerStatement)."""

from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from services.bank_simulator.contract import Statement, StatementEntry
from suuupra.money import Money

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_CODES: Final = {"DEBIT": "ICDT", "CREDIT": "RCDT", "REVERSAL": "RRCT", "CAPTURE": "ICDT"}
"""Families of the domain PMNT (payments); what is none of the rail's is the bank's own (NTAV)."""


def render(statement: Statement, made_at: datetime) -> bytes:
    """The statement as an XML document."""
    document = ET.Element("Document", {"xmlns": NAMESPACE})
    root = ET.SubElement(document, "BkToCstmrStmt")
    number = f"{statement.account}-{statement.begin:%Y%m%d%H%M%S}-{statement.end:%Y%m%d%H%M%S}"
    header = ET.SubElement(root, "GrpHdr")
    _text(header, "MsgId", number[:35])
    _text(header, "CreDtTm", _instant(made_at))
    pages = ET.SubElement(header, "MsgPgntn")
    _text(pages, "PgNb", str(statement.page))
    _text(pages, "LastPgInd", "false" if statement.next else "true")
    part = ET.SubElement(root, "Stmt")
    _text(part, "Id", number[:35])
    _text(part, "CreDtTm", _instant(made_at))
    period = ET.SubElement(part, "FrToDt")
    _text(period, "FrDtTm", _instant(statement.begin))
    _text(period, "ToDtTm", _instant(statement.end))
    _account(part, statement)
    _balance(part, "OPBD" if statement.page == 1 else "ITBD", statement.opening, statement.begin)
    _balance(part, "ITBD" if statement.next else "CLBD", statement.closing, statement.end)
    _summary(part, statement)
    for entry in statement.entries:
        _entry(part, entry)
    ET.indent(document)
    text: bytes = ET.tostring(document, encoding="utf-8", xml_declaration=True)
    return text


def _text(parent: ET.Element, tag: str, value: str) -> None:
    ET.SubElement(parent, tag).text = value


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _amount(parent: ET.Element, amount: Money) -> None:
    """An amount is never negative: its direction is said beside it."""
    ET.SubElement(parent, "Amt", {"Ccy": amount.currency}).text = f"{abs(amount).decimal():f}"
    _text(parent, "CdtDbtInd", "DBIT" if amount.minor < 0 else "CRDT")


def _account(part: ET.Element, statement: Statement) -> None:
    account = ET.SubElement(part, "Acct")
    other = ET.SubElement(ET.SubElement(account, "Id"), "Othr")
    _text(other, "Id", statement.account)
    _text(account, "Ccy", statement.opening.currency)
    _text(ET.SubElement(account, "Ownr"), "Nm", statement.name)
    institution = ET.SubElement(ET.SubElement(account, "Svcr"), "FinInstnId")
    _text(ET.SubElement(institution, "Othr"), "Id", statement.bank)


def _balance(part: ET.Element, code: str, amount: Money, at: datetime) -> None:
    balance = ET.SubElement(part, "Bal")
    _text(ET.SubElement(ET.SubElement(balance, "Tp"), "CdOrPrtry"), "Cd", code)
    _amount(balance, amount)
    _text(ET.SubElement(balance, "Dt"), "DtTm", _instant(at))


def _summary(part: ET.Element, statement: Statement) -> None:
    total = ET.SubElement(ET.SubElement(part, "TxsSummry"), "TtlNtries")
    _text(total, "NbOfNtries", str(len(statement.entries)))
    moved = sum(
        (abs(entry.amount) for entry in statement.entries), start=Money.zero(statement.opening.currency)
    )
    _text(total, "Sum", f"{moved.decimal():f}")


def _entry(part: ET.Element, entry: StatementEntry) -> None:
    element = ET.SubElement(part, "Ntry")
    _text(element, "NtryRef", str(entry.id))
    _amount(element, entry.amount)
    _text(ET.SubElement(element, "Sts"), "Cd", "BOOK")
    for tag in ("BookgDt", "ValDt"):
        _text(ET.SubElement(element, tag), "DtTm", _instant(entry.at))
    _text(element, "AcctSvcrRef", str(entry.id))
    domain = ET.SubElement(ET.SubElement(element, "BkTxCd"), "Domn")
    _text(domain, "Cd", "PMNT")
    family = ET.SubElement(domain, "Fmly")
    _text(family, "Cd", _CODES.get(entry.kind, "NTAV"))
    _text(family, "SubFmlyCd", "OTHR")
    _details(element, entry)


def _details(element: ET.Element, entry: StatementEntry) -> None:
    details = ET.SubElement(ET.SubElement(element, "NtryDtls"), "TxDtls")
    refs = ET.SubElement(details, "Refs")
    for tag, value in (("EndToEndId", entry.ref_id), ("TxId", entry.txn_id), ("ClrSysRef", entry.rrn)):
        if value:
            _text(refs, tag, value)
    if entry.counterparty:
        party = "Cdtr" if entry.amount.minor < 0 else "Dbtr"
        parties = ET.SubElement(ET.SubElement(details, "RltdPties"), party)
        _text(ET.SubElement(parties, "Pty"), "Nm", entry.counterparty)
    if entry.note:
        _text(ET.SubElement(details, "RmtInf"), "Ustrd", entry.note[:140])
