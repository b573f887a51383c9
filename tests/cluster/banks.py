"""The banks of the rail, asked where they run: no gateway routes what a bank tells its own people."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

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

    def statements(self) -> list[dict[str, Any]]:
        """The statement of every account, from its opening to now (`contract.Statement`)."""
        accounts = self.read("/internal/v1/accounts")[0]["items"]
        return self.read(*(f"/internal/v1/accounts/{one['number']}/statement" for one in accounts))

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


def banks(kube: Kube) -> list[Bank]:
    """All banks of the rail, the merchant's first."""
    spec = kube.get("paymentrail", RAIL)["spec"]
    codes = [one["code"] for one in spec["participants"]]
    own = spec.get("settlement", codes[0])
    return [Bank(kube, code) for code in sorted(codes, key=lambda code: code != own)]


def money(all_banks: list[Bank]) -> int | None:
    """What all customers have, with the banks' fees, in minor units: payments move it, never make or take any (M1).

    None while something is on its way between two banks.
    """
    books = [bank.books() for bank in all_banks]
    for one in books:
        assert (one["difference"]["minor"], one["unfolded"]) == (0, []), one
    if sum(one["settlement"]["minor"] for one in books):
        return None
    return sum(int(one[part]["minor"]) for one in books for part in ("customers", "fees"))
