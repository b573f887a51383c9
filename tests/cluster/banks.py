"""The banks of the rail, asked where they run: no gateway routes what a bank tells its own people."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from .kube import WORKLOADS, Kube, eventually

RAIL = "upi"
KNOWN_WITHIN = 60.0
"""Until the switch knows an account that its bank has just opened."""
_ASK = """
import json, sys, urllib.request
def ask(path):
    asked = urllib.request.Request("http://127.0.0.1:8000" + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.load(answer)
body = sys.stdin.buffer.read() or None
json.dump([ask(path) for path in sys.argv[1:]], sys.stdout)
"""
"""A program for the bank's own pod: GET each address, or POST what it is given to read."""
_PAGE = 1000
"""Entries of a statement that are asked for at once: the most that a bank gives."""
_KEPT_BOOKS = """
with sums as (select account, sum(amount_minor)::bigint as minor from entry group by account)
select jsonb_build_object(
    'customers', jsonb_build_object('minor', (select coalesce(sum(balance_minor), 0) from account)),
    'settlement', jsonb_build_object('minor', (select coalesce(sum(minor), 0) from sums where account = 'SETTLEMENT')),
    'fees', jsonb_build_object('minor', (select coalesce(sum(minor), 0) from sums where account = 'FEES')),
    'difference', jsonb_build_object('minor', (select coalesce(sum(minor), 0) from sums)),
    'unfolded', (select coalesce(jsonb_agg(a.number order by a.number), '[]')
        from account a left join sums s on s.account = a.number where a.balance_minor <> coalesce(s.minor, 0)))
"""
_KEPT_STATEMENTS = """
select jsonb_build_object(
    'account', a.number,
    'opening', jsonb_build_object('minor', 0),
    'closing', jsonb_build_object('minor', a.balance_minor),
    'entries', coalesce((
        select jsonb_agg(jsonb_build_object(
            'txn_id', case p.rail when 'UPI' then p.txn_id end, 'rrn', p.rrn,
            'amount', jsonb_build_object('minor', e.amount_minor),
            'balance', jsonb_build_object('minor', e.balance_minor)) order by e.id)
        from entry e join posting p on p.id = e.posting_id where e.account = a.number), '[]'))
from account a order by a.number
"""


@dataclass(frozen=True)
class Account:
    """Somebody's account, and what its owner types to pay from it."""

    vpa: str
    pin: str


@dataclass(frozen=True)
class Bank:
    """One bank. What it refuses is a `subprocess.CalledProcessError` that ends with its answer's status."""

    kube: Kube
    code: str

    def read(self, *paths: str) -> list[Any]:
        """What its internal API says at each address."""
        return self._ask(*paths)

    def books(self) -> dict[str, Any]:
        """The sum of all that it holds (`contract.Books`)."""
        found: dict[str, Any] = self.read("/internal/v1/books")[0]
        return found

    def statement(self, number: str) -> dict[str, Any]:
        """An account's whole statement, from its opening to now (`contract.Statement`)."""
        (first,) = self.read(_statement_of(number))
        return self._to_its_end(first)

    def statements(self) -> list[dict[str, Any]]:
        """The whole statement of every account."""
        accounts = self.read("/internal/v1/accounts")[0]["items"]
        firsts = self.read(*(_statement_of(one["number"]) for one in accounts))
        return [self._to_its_end(first) for first in firsts]

    def _to_its_end(self, page: dict[str, Any]) -> dict[str, Any]:
        """The page with all that follow it: a merchant's statement has every sale there ever was."""
        entries, last = list(page["entries"]), page
        while last["next"] is not None:
            (last,) = self.read(_statement_of(page["account"], cursor=last["next"], end=page["end"]))
            entries += last["entries"]
        return page | {"entries": entries, "closing": last["closing"], "next": None}

    def open_account(self, url: str, name: str, rupees: int) -> Account:
        """A new account that can be paid from on the practice phone at `url`.

        A test has its own, because a day's payments from one account are limited.
        """
        made = Account(f"{name.split()[0].lower()}.{secrets.token_hex(3)}@{self.code}", "1234")
        new = {
            "number": f"{self.code.upper()}{secrets.randbelow(10**12):012d}",
            "name": name,
            "vpa": made.vpa,
            "pin": made.pin,
            "opening_minor": rupees * 100,
            "demo": True,
        }
        self._ask("/internal/v1/accounts", said=json.dumps(new))
        eventually(
            lambda: httpx.get(f"{url}/phone/accounts/{made.vpa}", timeout=10).is_success,
            KNOWN_WITHIN,
            f"the phone knows {made.vpa}",
        )
        return made

    def hide(self, *accounts: Account) -> None:
        """Take accounts off the practice phone's list; they stay as they are. The switch hears of it in a minute."""
        listed = ", ".join(f"'{one.vpa}'" for one in accounts)
        self.kube.psql(f"bank_{self.code}", f"update account set demo = false where vpa in ({listed})")

    def _ask(self, *paths: str, said: str = "") -> list[Any]:
        pod = ("exec", "-i", f"deployment/bank-{self.code}", "-n", WORKLOADS, "--")
        answered: list[Any] = json.loads(self.kube.run(*pod, "python", "-c", _ASK, *paths, stdin=said).stdout)
        return answered


def _statement_of(number: str, **more: str) -> str:
    return f"/internal/v1/accounts/{number}/statement?{urlencode({'limit': _PAGE, **more})}"


@dataclass(frozen=True)
class FormerBank(Bank):
    """A bank that takes part no more. None of its pods runs; its books are read where they are kept, in its database."""

    def books(self) -> dict[str, Any]:
        """What it would tell of the money that it holds."""
        found: dict[str, Any] = json.loads(self._kept(_KEPT_BOOKS)[0])
        return found

    def statements(self) -> list[dict[str, Any]]:
        """Of every account, with the balances that were noted at each entry."""
        return [json.loads(line) for line in self._kept(_KEPT_STATEMENTS)]

    def _kept(self, sql: str) -> list[str]:
        return self.kube.psql(f"bank_{self.code}", sql)


def banks(kube: Kube) -> list[Bank]:
    """All banks of the rail, the merchant's first."""
    spec = kube.get("paymentrail", RAIL)["spec"]
    codes = [one["code"] for one in spec["participants"]]
    own = spec.get("settlement", codes[0])
    return [Bank(kube, code) for code in sorted(codes, key=lambda code: code != own)]


def every_bank(kube: Kube) -> list[Bank]:
    """Those of the rail, the merchant's first, and those that have left it.

    What a bank's customers paid stays with the payees' banks when it leaves, and what it owes for that in its books:
    only all banks together have the money that was there.
    """
    present = banks(kube)
    codes = {bank.code for bank in present}
    kept = kube.psql("postgres", r"select datname from pg_database where datname like 'bank\_%' order by 1")
    former = [name.removeprefix("bank_") for name in kept]
    return [*present, *(FormerBank(kube, code) for code in former if code not in codes)]


def money(all_banks: list[Bank]) -> int | None:
    """What all customers have, with the banks' fees, in minor units: payments move it, never make or take any (M1).

    None while something is on its way between two banks. Those that left the rail are banks as well (`every_bank`).
    """
    books = [bank.books() for bank in all_banks]
    for one in books:
        assert (one["difference"]["minor"], one["unfolded"]) == (0, []), one
    if sum(one["settlement"]["minor"] for one in books):
        return None
    return sum(int(one[part]["minor"]) for one in books for part in ("customers", "fees"))


def settled_money(all_banks: list[Bank], within: float) -> int:
    """All the money of all banks, as soon as none is on its way between them; else the error has what each owes."""
    try:
        return eventually(lambda: money(all_banks), within, "no money is on its way between banks")
    except AssertionError as error:
        owed = {bank.code: bank.books()["settlement"]["minor"] for bank in all_banks}
        raise AssertionError(f"{error}: in minor units, {owed}") from None
