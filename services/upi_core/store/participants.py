"""Participants and the directory of payment addresses."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from services.upi_core.contract import Address, Registration
from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class Participant:
    code: str
    name: str
    kind: str
    url: str
    jwks: dict[str, Any]
    encryption: dict[str, Any] | None
    handle: str | None
    active: bool
    asked_at: datetime | None
    beat_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An address of the directory."""

    vpa: str
    participant: str
    name: str
    type: str
    mcc: str
    bank: str
    number: str


@dataclass(frozen=True, slots=True)
class DemoPayer(Entry):
    """An address that the phone page can play."""

    bank_name: str
    """What people call the bank; its code when the bank itself takes no part."""


@dataclass(frozen=True, slots=True)
class Share:
    """How a bank answered the legs it was sent."""

    requests: int
    answered: int
    technical: int


_COLUMNS: Final = "code, name, kind, url, jwks, encryption, handle, active, asked_at, beat_at"
_ALL: Final = text(f"SELECT {_COLUMNS} FROM participant ORDER BY code")  # noqa: S608 - columns of our own
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM participant WHERE code = :code FOR UPDATE")  # noqa: S608
_SAVE: Final = text("""
INSERT INTO participant (code, name, kind, url, jwks, encryption, handle, active, registered_at)
VALUES (:code, :name, :kind, :url, CAST(:jwks AS jsonb), CAST(:encryption AS jsonb), :handle, true, :now)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, url = excluded.url,
    jwks = excluded.jwks, encryption = excluded.encryption, handle = excluded.handle, active = true
""")
_REMOVE: Final = text(
    "UPDATE participant SET active = false, handle = NULL, beat_at = NULL WHERE code = :code"
)
_FORGET: Final = text("DELETE FROM address WHERE participant = :code")
_ADDRESS: Final = text("""
INSERT INTO address AS a (vpa, participant, name, type, mcc, bank, number, demo)
VALUES (:vpa, :participant, :name, :type, :mcc, :bank, :number, :demo)
ON CONFLICT (vpa) DO UPDATE SET name = excluded.name, type = excluded.type, mcc = excluded.mcc,
    bank = excluded.bank, number = excluded.number, demo = excluded.demo
WHERE a.participant = :participant
RETURNING vpa
""")
_FIND: Final = text("""
SELECT a.vpa, a.participant, a.name, a.type, a.mcc, a.bank, a.number
FROM address a JOIN participant p ON p.code = a.participant WHERE a.vpa = ANY(:vpas) AND p.active
""")
_DEMO: Final = text("""
SELECT a.vpa, a.participant, a.name, a.type, a.mcc, a.bank, a.number, coalesce(b.name, a.bank) AS bank_name
FROM address a JOIN participant p ON p.code = a.participant LEFT JOIN participant b ON b.code = a.bank
WHERE a.demo AND p.active ORDER BY a.name, a.vpa LIMIT 100
""")
_DEMO_PAYER: Final = text("""
SELECT a.vpa, a.participant, a.name, a.type, a.mcc, a.bank, a.number
FROM address a JOIN participant p ON p.code = a.participant WHERE a.vpa = :vpa AND a.demo AND p.active
""")
_ASKED: Final = text("UPDATE participant SET asked_at = :now WHERE code = :code AND active RETURNING code")
_BEAT: Final = text("UPDATE participant SET beat_at = :now WHERE code = :code")
_SHARES: Final = text("""
SELECT bank, count(*), count(answered_at), count(*) FILTER (WHERE code = ANY(:technical))
FROM leg WHERE sent_at >= :since AND sent_at < :until GROUP BY bank
""")


async def everyone(tx: Transaction) -> Sequence[Participant]:
    """Every participant there ever was."""
    return [Participant(*row) for row in await tx.execute(_ALL)]


async def lock(tx: Transaction, code: str) -> Participant | None:
    row = (await tx.execute(_LOCK, {"code": code})).one_or_none()
    return None if row is None else Participant(*row)


async def save(
    tx: Transaction, code: str, registration: Registration, jwks: dict[str, Any], now: datetime
) -> None:
    """The participant takes part with these keys."""
    values = {"name": registration.name, "kind": registration.kind, "url": registration.url.rstrip("/")}
    keys = {
        "jwks": json.dumps(jwks),
        "encryption": json.dumps(registration.encryption) if registration.encryption else None,
    }
    await tx.execute(_SAVE, {**values, **keys, "code": code, "handle": registration.handle, "now": now})


async def save_address(tx: Transaction, code: str, address: Address) -> bool:
    """Whether the address is the participant's; False when another answers for it."""
    values = {"vpa": address.vpa, "participant": code, "name": address.name, "type": address.type}
    account = {"bank": address.account.bank, "number": address.account.number}
    given = {**values, **account, "mcc": address.mcc, "demo": address.demo}
    return await tx.scalar(_ADDRESS, given) is not None


async def remove(tx: Transaction, code: str) -> None:
    """The participant takes part no more; its addresses are nobody's."""
    await tx.execute(_REMOVE, {"code": code})
    await tx.execute(_FORGET, {"code": code})


async def find(tx: Transaction, vpa: str) -> Entry | None:
    """Whose the address is."""
    return (await find_all(tx, [vpa])).get(vpa)


async def find_all(tx: Transaction, vpas: Sequence[str]) -> dict[str, Entry]:
    """Whose the addresses are, by address, of those that somebody has."""
    return {row.vpa: Entry(*row) for row in await tx.execute(_FIND, {"vpas": list(vpas)})}


async def demo_payers(tx: Transaction) -> Sequence[DemoPayer]:
    """The accounts that the phone page can play."""
    return [DemoPayer(*row) for row in await tx.execute(_DEMO)]


async def demo_payer(tx: Transaction, vpa: str) -> Entry | None:
    """The account with that address, if the phone page can play it."""
    row = (await tx.execute(_DEMO_PAYER, {"vpa": vpa})).one_or_none()
    return None if row is None else Entry(*row)


async def asked(tx: Transaction, code: str, now: datetime) -> bool:
    """A heartbeat was sent; False when the participant takes part no more."""
    return await tx.scalar(_ASKED, {"code": code, "now": now}) is not None


async def beat(tx: Transaction, code: str, now: datetime) -> None:
    await tx.execute(_BEAT, {"code": code, "now": now})


async def shares(
    tx: Transaction, since: datetime, until: datetime, technical: Sequence[str]
) -> dict[str, Share]:
    """Bank → how it answered the legs sent in between."""
    rows = await tx.execute(_SHARES, {"since": since, "until": until, "technical": list(technical)})
    return {row[0]: Share(row[1], row[2], row[3]) for row in rows}
