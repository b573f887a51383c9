"""Accounts, statements, holds, and what the app may not do to its own entries."""

import asyncio
import xml.etree.ElementTree as ET
from typing import Any

import psycopg
import pytest

from services.bank_simulator.domain.camt import NAMESPACE
from services.bank_simulator.tests.counter import MEERA, RUPEES_250K, SHOP, Counter
from services.upi_core.contract import Code

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("table", ["entry", "posting"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = at", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_m13_entries_can_be_added_and_never_changed_or_deleted(
    counter: Counter, database_url: str, table: str, statement: str
) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(table))
    await counter.assert_books()


async def test_m1_the_database_refuses_a_posting_that_does_not_balance(
    counter: Counter, database_url: str
) -> None:
    posting = "INSERT INTO posting (id, rail, txn_id, leg, note, at) VALUES (gen_random_uuid(), 'X', '1', 'X', '', now())"
    entry = "INSERT INTO entry (posting_id, account, amount_minor, at) SELECT id, %s, %s, now() FROM posting WHERE rail = 'X'"
    with psycopg.connect(database_url) as connection:
        connection.execute(posting)
        connection.execute(entry, (MEERA, 100))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.commit()
    await counter.assert_books()


async def test_m1_balances_are_the_sums_of_their_entries_and_all_money_adds_up_to_nothing(
    counter: Counter,
) -> None:
    await counter.debit(minor=5_000)
    await counter.credit(minor=700)
    await counter.credit(account=SHOP, minor=900)
    books = await counter.get("books")
    assert books["settlement"]["minor"] == 5_000 - 700 - 900
    assert books["customers"]["minor"] + books["settlement"]["minor"] + books["capital"]["minor"] == 0
    await counter.assert_books()


async def test_a_statement_begins_and_ends_with_balances_that_its_entries_explain(counter: Counter) -> None:
    await counter.debit(minor=5_000, note="Order 12")
    counter.clock.advance(60)
    middle = counter.clock.now().isoformat()
    await counter.credit(minor=700)
    whole = await counter.get(f"accounts/{MEERA}/statement")
    assert [entry["amount"]["minor"] for entry in whole["entries"]] == [RUPEES_250K, -5_000, 700]
    assert whole["opening"]["minor"] == 0
    assert whole["closing"]["minor"] == await counter.balance()
    answer = await counter.http.get(f"/internal/v1/accounts/{MEERA}/statement", params={"begin": middle})
    part = answer.json()
    assert part["opening"]["minor"] == RUPEES_250K - 5_000
    assert [entry["amount"]["minor"] for entry in part["entries"]] == [700]
    debit = whole["entries"][1]
    assert (debit["rrn"], debit["ref_id"], debit["note"]) == ("633412000001", "A1", "Order 12")
    assert debit["counterparty"] == "Shop"


async def test_m1_a_long_statement_comes_in_pages_that_follow_from_one_another(counter: Counter) -> None:
    """No answer grows with the years; each page explains its balances, and all of them together the account's."""
    for number in range(6):
        await counter.debit(minor=100 + number)
    path, entries, pages = f"accounts/{MEERA}/statement?limit=3", list[Any](), list[Any]()
    while True:
        page = await counter.get(path + (f"&cursor={pages[-1]['next']}" if pages else ""))
        assert (
            page["opening"]["minor"] + sum(it["amount"]["minor"] for it in page["entries"])
            == page["closing"]["minor"]
        )
        assert not pages or page["opening"] == pages[-1]["closing"]
        pages.append(page)
        entries += page["entries"]
        if page["next"] is None:
            break
    assert [len(page["entries"]) for page in pages] == [3, 3, 1]
    assert [page["page"] for page in pages] == [1, 2, 3]
    assert entries == (await counter.get(f"accounts/{MEERA}/statement"))["entries"]
    assert pages[-1]["closing"]["minor"] == await counter.balance()
    too_many = await counter.http.get(f"/internal/v1/accounts/{MEERA}/statement", params={"limit": 1001})
    assert too_many.status_code == 422
    foreign = await counter.http.get(f"/internal/v1/accounts/{MEERA}/statement", params={"cursor": "W10"})
    assert foreign.json()["errors"][0]["field"] == "query.cursor"


async def test_a_page_of_camt_053_says_which_it_is_and_where_the_next_is(counter: Counter) -> None:
    await counter.debit(minor=5_050)
    first = await counter.http.get(f"/internal/v1/accounts/{MEERA}/statement.xml?limit=1")
    last = await counter.http.get(first.links["next"]["url"])
    name, codes = {"c": NAMESPACE}, list[list[str | None]]()
    for answer in (first, last):
        root = ET.fromstring(answer.content)
        codes.append([code.text for code in root.findall(".//c:Bal/c:Tp/c:CdOrPrtry/c:Cd", name)])
        assert len(root.findall(".//c:Ntry", name)) == 1
        codes[-1].append(root.findtext(".//c:MsgPgntn/c:LastPgInd", namespaces=name))
    assert codes == [["OPBD", "ITBD", "false"], ["ITBD", "CLBD", "true"]]
    assert "next" not in last.links


async def test_a_statement_is_told_as_camt_053_too(counter: Counter) -> None:
    await counter.debit(minor=5_050, note="Order <12> & more")
    answer = await counter.http.get(f"/internal/v1/accounts/{MEERA}/statement.xml")
    assert answer.headers["content-type"] == "application/xml"
    root = ET.fromstring(answer.content)
    name = {"c": NAMESPACE}

    def texts(path: str) -> list[str | None]:
        return [element.text for element in root.findall(path, name)]

    assert texts(".//c:Ntry/c:Amt") == ["250000.00", "50.50"]
    assert texts(".//c:Ntry/c:CdtDbtInd") == ["CRDT", "DBIT"]
    assert texts(".//c:Bal/c:Amt") == ["0.00", "249949.50"]
    assert texts(".//c:Refs/c:ClrSysRef") == ["633412000001"]
    assert texts(".//c:RmtInf/c:Ustrd") == ["Opening balance", "Order <12> & more"]
    assert texts(".//c:TxsSummry/c:TtlNtries/c:NbOfNtries") == ["2"]


async def made(counter: Counter, path: str, **body: Any) -> Any:
    return await counter.http.post(f"/internal/v1/{path}", json=body)


async def test_a_hold_keeps_money_from_being_debited_until_it_is_released(counter: Counter) -> None:
    amount = {"minor": RUPEES_250K - 100, "currency": "INR"}
    held = await made(counter, f"accounts/{MEERA}/holds", reference="h1", amount=amount)
    assert held.status_code == 201
    assert await counter.debit(minor=200) is Code.INSUFFICIENT
    released = await counter.http.post(f"/internal/v1/holds/{held.json()['id']}/release")
    assert released.json()["state"] == "released"
    assert await counter.debit(minor=200) is Code.SUCCESS


async def test_m5_a_hold_is_captured_once_and_not_after_its_release(counter: Counter) -> None:
    amount = {"minor": 1_000, "currency": "INR"}
    held = (await made(counter, f"accounts/{MEERA}/holds", reference="h1", amount=amount)).json()
    for _ in range(2):
        captured = await counter.http.post(f"/internal/v1/holds/{held['id']}/capture")
        assert captured.json()["state"] == "captured"
    assert await counter.balance() == RUPEES_250K - 1_000
    assert (await counter.http.post(f"/internal/v1/holds/{held['id']}/release")).status_code == 409
    await counter.assert_books()


async def test_m5_of_many_who_capture_or_release_a_hold_at_once_one_wins(counter: Counter) -> None:
    amount = {"minor": 1_000, "currency": "INR"}
    for number in range(5):
        held = (await made(counter, f"accounts/{MEERA}/holds", reference=f"h{number}", amount=amount)).json()
        before = await counter.balance()
        answers = await asyncio.gather(
            *(
                counter.http.post(f"/internal/v1/holds/{held['id']}/{what}")
                for what in ("capture", "release") * 8
            )
        )
        ends = {answer.json()["state"] for answer in answers if answer.status_code == 200}
        assert {answer.status_code for answer in answers} == {200, 409}
        assert len(ends) == 1, "whoever asks for what it has become is answered, and nobody else"
        assert await counter.balance() == before - (1_000 if ends == {"captured"} else 0)
        assert (await counter.get(f"accounts/{MEERA}"))["held"]["minor"] == 0
    await counter.assert_books()


async def test_m19_a_hold_ends_by_the_clock_that_the_bank_is_given(counter: Counter) -> None:
    amount = {"minor": 1_000, "currency": "INR"}
    await made(counter, f"accounts/{MEERA}/holds", reference="h1", amount=amount, seconds=60)
    await counter.later(59)
    assert (await counter.get(f"accounts/{MEERA}"))["held"]["minor"] == 1_000
    await counter.later(2)
    assert (await counter.get(f"accounts/{MEERA}"))["held"]["minor"] == 0


async def test_m4_a_holds_reference_with_another_amount_is_refused(counter: Counter) -> None:
    path = f"accounts/{MEERA}/holds"
    first = await made(counter, path, reference="h1", amount={"minor": 1_000, "currency": "INR"})
    again = await made(counter, path, reference="h1", amount={"minor": 1_000, "currency": "INR"})
    other = await made(counter, path, reference="h1", amount={"minor": 2_000, "currency": "INR"})
    assert first.json()["id"] == again.json()["id"]
    assert other.status_code == 422


async def test_an_account_is_opened_once_and_told_to_the_switch(counter: Counter) -> None:
    new = {
        "number": "ASHA200001",
        "name": "Ravi Nair",
        "vpa": "ravi@asha",
        "pin": "4321",
        "opening_minor": 5_000,
    }
    for _ in range(2):
        answer = await made(counter, "accounts", **new)
        assert answer.status_code == 201
    assert answer.json()["balance"]["minor"] == 5_000
    assert (await made(counter, "accounts", **(new | {"number": "ASHA200002"}))).status_code == 409
    assert await counter.bank.state.membership.once()
    assert "ravi@asha" in [address["vpa"] for address in counter.registered["addresses"]]
    assert "4321" not in answer.text
    await counter.assert_books()


async def test_a_bank_joins_with_its_keys_and_its_customers_and_without_secrets(counter: Counter) -> None:
    told = counter.registered
    assert (told["code"], told["kind"], told["handle"]) == ("asha", "bank", "asha")
    assert all("d" not in key for key in (*told["jwks"]["keys"], told["encryption"]))
    customers = {address["vpa"].partition("@")[0] for address in told["addresses"]}
    assert customers == {"meera", "kabir", "noor", "asha", "omar"}


async def test_a_restarted_bank_has_the_same_keys_and_opens_no_account_twice(
    counter: Counter, database_url: str
) -> None:
    before = counter.registered
    assert await counter.bank.state.membership.once()
    assert counter.registered["jwks"] == before["jwks"]
    assert await counter.balance() == RUPEES_250K
