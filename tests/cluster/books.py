"""The ledger as finance reads it, and whether it and the banks' statements say the same."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from .banks import Bank, every_bank
from .kube import WORKLOADS, Kube, eventually

CLEARING = "assets:upi-clearing:INR"
"""What the rail owes the merchant, until it is settled."""
FINANCE = "finance@staff.example"
ANSWERED_WITHIN = 120.0
"""Longer than identity's database is ever away."""
AGREED_WITHIN = 60.0
"""Until what is on its way between banks, payments and ledger has arrived."""


class Moved(NamedTuple):
    """Money of one transaction of the rail, in minor units: positive when the merchant got it."""

    rrn: str
    minor: int


Moves = Mapping[str, Moved]
"""By the rail's id of the transaction."""


@dataclass(frozen=True)
class Ledger:
    """The ledger's public API, with a token of finance."""

    api: httpx.Client

    def journals(self, order: str) -> list[dict[str, Any]]:
        """All that was posted about an order, the first thing first."""
        answer = self.api.get("/v1/ledger/journals", params={"reference": f"order:{order}"})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return sorted(found, key=lambda journal: int(journal["sequence"]))

    def records(self) -> list[dict[str, Any]]:
        """Every journal, as it is sealed."""
        lines = self.api.get("/v1/ledger/export", params={"format": "json"}, timeout=60).raise_for_status()
        return [json.loads(line)["record"] for line in lines.text.splitlines()]

    def trial_balance(self) -> list[dict[str, Any]]:
        """Both sides of every account, by currency."""
        found: list[dict[str, Any]] = (
            self.api.get("/v1/ledger/trial-balance").raise_for_status().json()["currencies"]
        )
        return found


def finance_token(kube: Kube) -> str:
    """An access token of somebody who may read the books and give money back."""
    password = os.environ.get("SUUUPRA_NEW_PASSWORD", secrets.token_urlsafe(16))
    create = ("create-user", FINANCE, "--name", "Finance", "--role", "finance", "--keep")
    identity(kube, f"SUUUPRA_NEW_PASSWORD={password}", *create)
    return identity(kube, "NO_COLOR=1", "token", FINANCE)


def identity(kube: Kube, variable: str, *words: str) -> str:
    """What one of identity's own commands prints, run where identity runs, as soon as it can do it."""
    command = ("env", variable, "python", "-m", "suuupra", "identity", *words)
    last = "nothing"

    def printed() -> str | None:
        nonlocal last
        ran = kube.run("exec", "deployment/identity", "-n", WORKLOADS, "--", *command, check=False)
        last = ran.stderr.strip()
        return ran.stdout.strip() if ran.returncode == 0 else None

    try:
        return eventually(printed, ANSWERED_WITHIN, f"identity {words[0]}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}") from None


def staff(url: str, token: str) -> httpx.Client:
    """A program with somebody's token."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20)


def moved_by(record: Mapping[str, Any]) -> int:
    """What a journal moved on the rail's clearing account, in minor units."""
    signs = {"debit": 1, "credit": -1}
    return sum(
        signs[entry["side"]] * int(entry["amount"])
        for entry in record["entries"]
        if entry["account"] == CLEARING
    )


def posted(records: Iterable[Mapping[str, Any]]) -> Moves:
    """What the ledger says was moved over the rail; each transaction is in one journal."""
    found: dict[str, Moved] = {}
    for record in records:
        if moved_by(record):
            transaction = record["details"]["rail_reference"]
            assert transaction not in found, f"posted twice: {transaction}"
            found[transaction] = Moved(record["details"]["rrn"], moved_by(record))
    return found


def booked(statements: Iterable[Mapping[str, Any]], sign: int = 1) -> Moves:
    """What statements say was moved over the rail. What was taken and given back again is not there."""
    found: dict[str, Moved] = {}
    for statement in statements:
        running = int(statement["opening"]["minor"])
        for entry in statement["entries"]:
            running += entry["amount"]["minor"]
            assert running == entry["balance"]["minor"], (statement["account"], entry)
            if entry["txn_id"] is not None:
                before = found.get(entry["txn_id"], Moved(entry["rrn"], 0))
                assert before.rrn == entry["rrn"], entry
                found[entry["txn_id"]] = Moved(entry["rrn"], before.minor + sign * entry["amount"]["minor"])
        assert running == statement["closing"]["minor"], statement["account"]
    return {transaction: moved for transaction, moved in found.items() if moved.minor}


class Told(NamedTuple):
    """Three stories of the same money."""

    ledger: Moves
    merchant: Moves
    payers: Moves


def told(ledger: Ledger, all_banks: list[Bank], merchant_account: str) -> Told:
    """What the ledger, the merchant's statement and those of all payers at all banks say, each by itself."""
    own, others = list[dict[str, Any]](), list[dict[str, Any]]()
    for bank in all_banks:
        for statement in bank.statements():
            (own if statement["account"] == merchant_account and bank is all_banks[0] else others).append(
                statement
            )
    return Told(posted(ledger.records()), booked(own), booked(others, sign=-1))


def differences(stories: Told) -> dict[str, tuple[Moved | None, ...]]:
    """Transactions about which the three do not say the same to the paisa."""
    every = set().union(*stories)
    found = {one: tuple(story.get(one) for story in stories) for one in every}
    return {one: said for one, said in found.items() if len(set(said)) > 1}


def assert_all_agree(kube: Kube, ledger: Ledger, merchant_account: str = "SUUUPRA001") -> Moves:
    """The whole ledger and all statements of all banks, those that left as well, agree line by line; what they say."""
    last = Told({}, {}, {})

    def agree() -> bool:
        nonlocal last
        try:
            last = told(ledger, every_bank(kube), merchant_account)
        except (httpx.HTTPError, subprocess.SubprocessError):  # a server that is on its way back
            return False
        return bool(last.ledger) and not differences(last)

    try:
        eventually(agree, AGREED_WITHIN, "ledger, merchant's bank and payers' banks agree")
    except AssertionError as error:
        raise AssertionError(f"{error}: (ledger, merchant, payers) {differences(last)}") from None
    return last.ledger


def assert_sound(kube: Kube, ledger: Ledger) -> str:
    """Debits equal credits in every currency, and the verifier finds each row as it was sealed (M1, M12): its words."""
    balanced = ledger.trial_balance()
    assert balanced, "nothing was posted at all"
    for currency in balanced:
        assert currency["balanced"], currency
        assert currency["debit_total_minor"] == currency["credit_total_minor"], currency
    command = (
        "exec",
        "deployment/ledger",
        "-n",
        WORKLOADS,
        "--",
        "python",
        "-m",
        "suuupra",
        "ledger",
        "verify",
    )
    verified = kube.run(*command, check=False)
    assert verified.returncode == 0, verified.stderr
    words: str = verified.stdout.rstrip()
    assert words.endswith(": sound"), words
    return words
