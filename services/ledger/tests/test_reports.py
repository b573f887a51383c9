"""Balances in the past, statements, the trial balance and exports."""

import asyncio
import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message
from structlog.testing import capture_logs

from services.ledger.domain.sealing import leaf_of
from services.ledger.tests.books import CASH, LEDGER, RENT, SALES, Books, body_of, leg, transfer
from services.ledger.usecases import exporting
from suuupra.clock import FakeClock
from suuupra.edge import CutOff
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration


async def a_year(books: Books, clock: FakeClock) -> list[Any]:
    """Four journals: the third is posted late, for a day before the second."""
    await books.open(CASH, SALES, RENT)
    made = []
    for debited, credited, amount, day in (
        (CASH, SALES, 100, "2025-03-01T10:00:00Z"),
        (CASH, SALES, 40, "2025-03-05T10:00:00Z"),
        (RENT, CASH, 30, "2025-03-03T00:00:00Z"),
        (CASH, SALES, 7, "2025-03-05T18:00:00Z"),
    ):
        clock.advance(timedelta(minutes=1))
        made.append(await books.move(debited, credited, amount, effective_at=day))
    return made


async def test_a_balance_is_known_as_of_any_time_and_after_any_journal(
    books: Books, clock: FakeClock
) -> None:
    made = await a_year(books, clock)

    async def at(**query: Any) -> int:
        return int((await books.get(f"/accounts/{CASH}/balance", **query))["balance_minor"])

    assert await at() == 117
    assert await at(effective_at="2025-03-01T10:00:00Z") == 0
    assert await at(effective_at="2025-03-01T10:00:01Z") == 100
    assert await at(effective_at="2025-03-03T00:00:00+05:30") == 100
    assert await at(effective_at="2025-03-05T12:00:00Z") == 110
    assert await at(effective_at="2025-03-05T12:00:00Z", up_to=made[1]["sequence"]) == 140
    assert await at(up_to=made[1]["sequence"]) == 140
    assert await at(up_to=0) == 0
    answer = await books.client.get(f"{LEDGER}/accounts/{CASH}/balance", params={"up_to": 1000})
    assert [it["field"] for it in answer.json()["errors"]] == ["query.up_to"]


async def test_a_statement_runs_by_effective_time_from_opening_to_closing(
    books: Books, clock: FakeClock
) -> None:
    made = await a_year(books, clock)
    found = await books.get(
        f"/accounts/{CASH}/statement", begin="2025-03-02T00:00:00Z", end="2025-03-06T00:00:00Z"
    )
    assert (found["opening_minor"], found["closing_minor"]) == (100, 117)
    assert [(it["side"], it["amount_minor"], it["balance_minor"]) for it in found["lines"]] == [
        ("credit", 30, 70),
        ("debit", 40, 110),
        ("debit", 7, 117),
    ]
    early = await books.get(f"/accounts/{CASH}/statement", up_to=made[1]["sequence"])
    assert [it["balance_minor"] for it in early["lines"]] == [100, 140]
    assert early["closing_minor"] == 140


async def test_a_statement_in_pages_is_the_statement(books: Books, clock: FakeClock) -> None:
    await books.open(CASH, SALES)
    for amount in range(1, 8):  # all at one time: the cursor must tell them apart
        await books.move(CASH, SALES, amount, effective_at="2025-03-01T10:00:00Z")
    whole = await books.get(f"/accounts/{CASH}/statement")
    lines, cursor, opening = [], None, 0
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = await books.get(f"/accounts/{CASH}/statement", **query)
        assert page["opening_minor"] == opening
        lines += page["lines"]
        opening = lines[-1]["balance_minor"]
        if (cursor := page["next"]) is None:
            break
    assert lines == whole["lines"]
    assert opening == whole["closing_minor"] == 28


async def test_a_span_that_ends_before_it_begins_is_refused(books: Books) -> None:
    await books.open(CASH)
    query = {"begin": "2025-03-02T00:00:00Z", "end": "2025-03-02T00:00:00Z"}
    answer = await books.client.get(f"{LEDGER}/accounts/{CASH}/statement", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.end")


async def test_the_trial_balance_has_equal_totals_at_every_time(books: Books, clock: FakeClock) -> None:
    await a_year(books, clock)
    for day in range(1, 8):
        found = await books.get("/trial-balance", effective_at=f"2025-03-{day:02}T12:00:00Z")
        assert all(it["balanced"] for it in found["currencies"])
    (rupees,) = (await books.get("/trial-balance", currency="INR"))["currencies"]
    assert rupees["debit_total_minor"] == rupees["credit_total_minor"] == 147
    assert {
        it["account"]: (it["debit_balance_minor"], it["credit_balance_minor"]) for it in rupees["lines"]
    } == {
        CASH: (117, 0),
        RENT: (30, 0),
        SALES: (0, 147),
    }


async def several_currencies(books: Books, clock: FakeClock) -> None:
    """Journals of 0, 2, 3 and 4 decimals, and a hold that was posted in part."""
    for currency in ("JPY", "INR", "KWD", "CLF"):
        await books.open(f"assets:cash:{currency}", f"revenue:courses:{currency}")
        await books.move(
            f"assets:cash:{currency}", f"revenue:courses:{currency}", 123456, reference="order:1"
        )
    expires_at = (clock.now() + timedelta(hours=1)).isoformat()
    body = body_of(transfer(CASH, SALES, 1000), description="=1+1; not, a tag: x", expires_at=expires_at)
    hold = await books.made("/journals", {**body, "description": "=1+1; not, a tag: x"})
    await books.made(f"/journals/{hold['id']}/post", {"amount_minor": 300})


async def exported(books: Books, form: str, **query: Any) -> str:
    answer = await books.client.get(f"{LEDGER}/export", params={"format": form, **query})
    assert answer.status_code == 200
    return answer.text


async def test_the_csv_has_a_line_for_each_entry_and_no_formula(books: Books, clock: FakeClock) -> None:
    await several_currencies(books, clock)
    rows = list(csv.DictReader(io.StringIO(await exported(books, "csv"))))
    amounts = {row["currency"]: row["amount"] for row in rows if row["reference"]}
    assert amounts == {"JPY": "123456", "INR": "1234.56", "KWD": "123.456", "CLF": "12.3456"}
    signed: dict[str, Decimal] = {}
    for row in rows:
        amount = Decimal(row["amount"])
        signed[row["currency"]] = signed.get(row["currency"], Decimal(0)) + (
            amount if row["side"] == "debit" else -amount
        )
    assert set(signed.values()) == {Decimal(0)}
    assert {row["description"] for row in rows if row["kind"] == "hold"} == {"'=1+1; not, a tag: x"}


async def test_the_json_lines_are_the_sealed_records(books: Books, clock: FakeClock) -> None:
    await several_currencies(books, clock)
    lines = (await exported(books, "json")).splitlines()
    assert len(lines) == (await books.get("/head"))["size"]
    for number, line in enumerate(lines, 1):
        read = json.loads(line)
        record = line.partition('"record":')[2][:-1]
        assert leaf_of(record.encode()).hex() == read["leaf"]
        assert read["record"]["sequence"] == number


async def test_a_span_of_effective_time_is_exported(books: Books, clock: FakeClock) -> None:
    await a_year(books, clock)
    lines = (
        await exported(books, "json", begin="2025-03-02T00:00:00Z", end="2025-03-05T10:00:00Z")
    ).splitlines()
    assert [json.loads(line)["record"]["entries"][0]["amount"] for line in lines] == ["30"]


async def test_an_export_whose_database_goes_away_midway_is_cut_off_and_says_so_as_a_warning(
    app: FastAPI,
    books: Books,
    clock: FakeClock,
    postgres: PostgresServer,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await a_year(books, clock)
    monkeypatch.setattr(exporting, "PAGE", 1)
    received: list[bytes] = []

    async def send(message: Message) -> None:
        """The caller, until the second page: then nobody reaches the database any more."""
        received.append(message.get("body", b""))
        if len([body for body in received if body]) == 2:
            go_away(postgres, database_name)

    request = books.client.build_request("GET", f"{LEDGER}/export")
    with capture_logs() as lines, pytest.raises(CutOff):
        await app(scope_of(request), nothing_more, send)
    assert b"".join(received).count(b"\r\n") < 9, "not the header and two entries of four journals"
    said = [(line["event"], line["reason"]) for line in lines if line["log_level"] in ("warning", "error")]
    assert said == [("an answer was cut off", "The database is not available")]


def go_away(postgres: PostgresServer, database: str) -> None:
    """End every connection to a database, and let nobody in any more."""
    postgres.execute("postgres", f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    postgres.execute("postgres", ended)


def scope_of(request: httpx.Request) -> dict[str, Any]:
    """A request, as a server hands it to the application."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "root_path": "",
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": ("ledger", 80),
        "client": ("127.0.0.1", 1),
    }


async def nothing_more() -> Message:
    """A caller who says nothing and stays."""
    await asyncio.Event().wait()
    raise AssertionError


def hledger_balances(text: str) -> tuple[dict[str, Decimal], int]:
    """Accounts with their balances, by the format's grammar as far as we write it; each transaction must balance."""
    declared: set[str] = set()
    balances: dict[str, Decimal] = {}
    transactions = 0
    open_: dict[str, Decimal] = {}
    for line in [*text.splitlines(), ""]:
        if line.startswith(("commodity ", "account ")):
            declared.add(line.split()[1])
        elif line[:1].isdigit():
            transactions += 1
        elif line.startswith("    ;") or not line.strip():
            if not line.strip():
                assert all(total == 0 for total in open_.values()), text
                open_ = {}
        else:
            account, _, amount = line.strip().partition("  ")
            currency, number = amount.split()
            assert {account, currency} <= declared, line
            balances[account] = balances.get(account, Decimal(0)) + Decimal(number)
            open_[currency] = open_.get(currency, Decimal(0)) + Decimal(number)
    return balances, transactions


async def test_the_hledger_journal_balances_and_shows_our_balances(books: Books, clock: FakeClock) -> None:
    await several_currencies(books, clock)
    balances, transactions = hledger_balances(await exported(books, "hledger"))
    assert transactions == 6
    assert balances[CASH] == Decimal("1237.56")
    assert balances["assets:cash:JPY"] == Decimal("123456")
    assert {value for account, value in balances.items() if account.startswith("pending:")} == {Decimal(0)}


async def test_a_journal_of_many_legs_keeps_their_order(books: Books) -> None:
    await books.open(CASH, SALES, RENT)
    legs = [leg(CASH, "debit", 5), leg(SALES, "credit", 9), leg(RENT, "debit", 4)]
    made = await books.made("/journals", body_of({"currency": "INR", "legs": legs}, transfer(RENT, CASH, 1)))
    assert made["transfers"][0]["legs"] == legs
    assert (await books.get(f"/journals/{made['id']}"))["transfers"] == made["transfers"]
