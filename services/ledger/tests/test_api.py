"""The API as its callers meet it: who may, what is refused and how, what is answered again."""

import asyncio
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.ledger.tests.books import CASH, LEDGER, RENT, SALES, Books, body_of, leg, transfer
from services.ledger.tests.conftest import Mint
from suuupra.clock import FakeClock
from suuupra.testing import hostile

pytestmark = pytest.mark.integration

READS = [
    "/accounts",
    f"/accounts/{CASH}",
    f"/accounts/{CASH}/balance",
    f"/accounts/{CASH}/statement",
    "/journals",
    f"/journals/{uuid4()}",
    f"/journals/{uuid4()}/proof",
    "/trial-balance",
    "/export",
    "/head",
    "/consistency?first=1",
    "/checkpoints",
    "/checkpoints/1",
    "/keys",
]
WRITES = [
    ("POST", "/accounts"),
    ("PATCH", f"/accounts/{CASH}"),
    ("POST", "/journals"),
    ("POST", "/exchanges"),
    ("POST", f"/journals/{uuid4()}/post"),
    ("POST", f"/journals/{uuid4()}/void"),
    ("POST", f"/journals/{uuid4()}/reverse"),
    ("POST", "/checkpoints"),
]


async def test_an_anonymous_caller_gets_401_everywhere(anybody: httpx.AsyncClient) -> None:
    answers = [await anybody.get(f"{LEDGER}{path}") for path in READS]
    answers += [await anybody.request(method, f"{LEDGER}{path}", json={}) for method, path in WRITES]
    assert {answer.status_code for answer in answers} == {401}


async def test_who_may_only_read_changes_nothing(reader: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "1", "If-Match": "*"}
    answers = [
        await reader.request(method, f"{LEDGER}{path}", json={}, headers=headers) for method, path in WRITES
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert (await reader.get(f"{LEDGER}/head")).json()["size"] == 0


async def test_an_account_is_opened_read_changed_and_closed(books: Books) -> None:
    made = await books.made("/accounts", {"code": CASH, "name": "Cash box", "minimum_minor": 0})
    assert (made["kind"], made["side"], made["currency"], made["version"]) == ("asset", "debit", "INR", 1)
    assert made["balance"]["balance_minor"] == 0
    path = f"{LEDGER}/accounts/{CASH}"
    stale = await books.client.patch(path, json={"name": "Till"}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    missing = await books.client.patch(path, json={"name": "Till"})
    assert missing.status_code == 428
    changed = await books.client.patch(
        path, json={"name": "Till", "minimum_minor": None, "state": "closed"}, headers={"If-Match": '"1"'}
    )
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] == '"2"'
    assert await books.get(f"/accounts/{CASH}") == changed.json()
    assert (changed.json()["name"], changed.json()["minimum_minor"], changed.json()["state"]) == (
        "Till",
        None,
        "closed",
    )


async def test_a_contra_account_grows_on_the_other_side(books: Books) -> None:
    made = await books.made("/accounts", {"code": "revenue:refunds:INR", "name": "Refunds", "contra": True})
    assert made["side"] == "debit"


async def test_accounts_are_listed_by_code_in_pages(books: Books) -> None:
    await books.open(SALES, CASH, RENT, "assets:cash:USD")
    first = await books.get("/accounts", limit=2)
    rest = await books.get("/accounts", limit=2, cursor=first["next"])
    assert [it["code"] for it in first["items"] + rest["items"]] == [CASH, "assets:cash:USD", RENT, SALES]
    assert [it["code"] for it in (await books.get("/accounts", kind="asset", currency="USD"))["items"]] == [
        "assets:cash:USD"
    ]


async def test_a_journal_is_posted_and_read_by_id_and_reference(books: Books) -> None:
    await books.open(CASH, SALES)
    made = await books.move(CASH, SALES, 49900, reference="order:1", details={"invoice": "S-1"})
    assert made["sequence"] == 3
    assert made["transfers"][0]["legs"] == [leg(CASH, "debit", 49900), leg(SALES, "credit", 49900)]
    assert await books.get(f"/journals/{made['id']}") == made
    assert (await books.get("/journals", reference="order:1"))["items"] == [made]
    assert (await books.get("/journals", reference="order:1", kind="hold"))["items"] == []
    assert (await books.balance(CASH))["balance_minor"] == 49900


async def test_journals_are_listed_the_latest_first_in_pages(books: Books) -> None:
    await books.open(CASH, SALES)
    ids = [(await books.move(CASH, SALES, number))["id"] for number in (1, 2, 3)]
    first = await books.get("/journals", kind="transfer", limit=2)
    rest = await books.get("/journals", kind="transfer", limit=2, cursor=first["next"])
    assert [it["id"] for it in first["items"] + rest["items"]] == ids[::-1]


@pytest.mark.parametrize(
    ("body", "status", "slug", "fields"),
    [
        (body_of({"currency": "INR", "legs": [leg(CASH, "debit", 5), leg(SALES, "credit", 4)]}), 422, "unbalanced", ["body.transfers[0].legs"]),
        (body_of(transfer(CASH, "assets:none:INR", 5)), 422, "unknown-account", ["body.transfers[0].legs[1].account"]),
        (body_of(transfer(CASH, "assets:cash:USD", 5)), 422, "currency-mixed", ["body.transfers[0].legs[1].account"]),
        (body_of(transfer(CASH, SALES, 5, "USD")), 422, "currency-mixed", ["body.transfers[0].legs[0].account"]),
        (body_of(transfer(CASH, SALES, -5)), 422, "invalid", ["body.transfers[0].legs[0].amount_minor", "body.transfers[0].legs[1].amount_minor"]),
        (body_of(transfer(CASH, SALES, 0)), 422, "invalid", ["body.transfers[0].legs[0].amount_minor", "body.transfers[0].legs[1].amount_minor"]),
        (body_of(transfer(CASH, SALES, 2**63)), 422, "invalid", ["body.transfers[0].legs[0].amount_minor", "body.transfers[0].legs[1].amount_minor"]),
        (body_of({"currency": "INR", "legs": [{"account": CASH, "side": "debit", "amount_minor": "49.99"}, leg(SALES, "credit", 5)]}), 422, "invalid", ["body.transfers[0].legs[0].amount_minor"]),
        (body_of({"currency": "INR", "legs": [{"account": CASH, "side": "left", "amount_minor": 5}, leg(SALES, "credit", 5)]}), 422, "invalid", ["body.transfers[0].legs[0].side"]),
        (body_of(transfer(RENT, CASH, 1)), 409, "bound-broken", ["body.transfers"]),
        (body_of(transfer(CASH, SALES, 5), effective_at="2027-01-01T00:00:00Z"), 422, "invalid", ["body.effective_at"]),
        (body_of(transfer(CASH, SALES, 5), effective_at="1999-01-01T00:00:00Z"), 422, "invalid", ["body.effective_at"]),
        (body_of(transfer(CASH, SALES, 5), effective_at="2026-01-01T00:00:00"), 422, "invalid", ["body.effective_at"]),
        (body_of(transfer(CASH, SALES, 5), expires_at="2025-12-31T00:00:00Z"), 422, "invalid", ["body.expires_at"]),
        (body_of(transfer(CASH, SALES, 5), details={"Ünsaid": "x"}), 422, "invalid", ["body.details"]),
        (body_of(transfer(CASH, SALES, 5), details={"expires_at": "x"}), 422, "invalid", ["body.details.expires_at"]),
        (body_of(), 422, "invalid", ["body.transfers"]),
        (body_of(transfer(CASH, SALES, 5), currency="INR"), 422, "invalid", ["body.currency"]),
    ],
)  # fmt: skip
async def test_a_wrong_journal_is_refused_by_field_and_nothing_changes(
    books: Books, body: dict[str, Any], status: int, slug: str, fields: list[str]
) -> None:
    await books.open(SALES, RENT, "assets:cash:USD")
    await books.open(CASH, minimum_minor=0)
    assert await books.refused("/journals", body) == (status, slug, fields)


async def test_a_number_with_decimals_is_no_amount_even_when_they_are_zero(books: Books) -> None:
    await books.open(CASH, SALES)
    text = (
        '{"description":"x","transfers":[{"currency":"INR","legs":['
        f'{{"account":"{CASH}","side":"debit","amount_minor":12.0}},'
        f'{{"account":"{SALES}","side":"credit","amount_minor":12}}]}}]}}'
    )
    headers = {"Idempotency-Key": "1", "content-type": "application/json"}
    answer = await books.client.post(f"{LEDGER}/journals", content=text, headers=headers)
    assert answer.status_code == 422
    assert [it["field"] for it in answer.json()["errors"]] == ["body.transfers[0].legs[0].amount_minor"]


@pytest.mark.parametrize(
    ("body", "slug", "field"),
    [
        ({"code": "assets:cash", "name": "x"}, "invalid", "body.code"),
        ({"code": "assets:cash:INX", "name": "x"}, "invalid", "body.code"),
        ({"code": "money:cash:INR", "name": "x"}, "invalid", "body.code"),
        ({"code": "assets:till:INR", "name": "x", "minimum_minor": 5, "maximum_minor": 4}, "invalid", "body.minimum_minor"),
        ({"code": "assets:till:INR", "name": "x", "minimum_minor": 5}, "bound-broken", "body.minimum_minor"),
        ({"code": CASH, "name": "x"}, "code-taken", "body.code"),
        ({"code": "assets:till:INR", "name": ""}, "invalid", "body.name"),
    ],
)  # fmt: skip
async def test_a_wrong_account_is_refused_by_field(
    books: Books, body: dict[str, Any], slug: str, field: str
) -> None:
    await books.open(CASH)
    _, found, fields = await books.refused("/accounts", body)
    assert (found, fields) == (slug, [field])


async def test_an_account_in_use_is_not_closed_and_bounds_do_not_cut_into_a_balance(books: Books) -> None:
    await books.open(CASH, SALES)
    await books.move(CASH, SALES, 5)
    for wish, slug in (({"state": "closed"}, "account-in-use"), ({"maximum_minor": 4}, "bound-broken")):
        answer = await books.client.patch(f"{LEDGER}/accounts/{CASH}", json=wish, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, slug)


async def test_m3_one_key_a_hundred_times_in_parallel_posts_once(books: Books) -> None:
    await books.open(CASH, SALES)
    body = body_of(transfer(CASH, SALES, 5))

    sent = partial(books.insisted, "/journals", body, key="one")
    answers = await asyncio.gather(*(sent() for _ in range(100)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert (await books.balance(CASH))["balance_minor"] == 5
    assert (await books.send("/journals", body_of(transfer(CASH, SALES, 6)), key="one")).status_code == 422
    assert (await books.client.post(f"{LEDGER}/journals", json=body)).status_code == 400


async def test_m4_an_id_with_the_same_content_is_the_same_journal_and_with_other_content_refused(
    books: Books, clock: FakeClock
) -> None:
    await books.open(CASH, SALES, RENT)
    body = body_of(transfer(CASH, SALES, 5), id=str(uuid4()), details={"note": "x"})
    made = await books.made("/journals", body)
    clock.advance(3600)
    assert await books.made("/journals", body) == made
    for other in (
        {**body, "transfers": [transfer(CASH, SALES, 6)]},
        {**body, "transfers": [transfer(RENT, SALES, 5)]},
        {**body, "transfers": [transfer(SALES, CASH, 5)]},
        {**body, "description": "another"},
        {**body, "details": {}},
        {**body, "reference": "order:2"},
        {**body, "effective_at": "2025-12-31T00:00:00Z"},
        {**body, "expires_at": "2026-01-02T00:00:00Z"},
    ):
        assert await books.refused("/journals", other) == (409, "id-reused", ["body.id"])


async def test_a_journal_is_reversed_by_a_new_one_and_once(books: Books) -> None:
    await books.open(CASH, SALES)
    made = await books.move(CASH, SALES, 5, reference="order:1")
    wish = {"description": "a mistake"}
    reversal = await books.made(f"/journals/{made['id']}/reverse", wish)
    assert (reversal["kind"], reversal["related_id"], reversal["reference"]) == (
        "reversal",
        made["id"],
        "order:1",
    )
    assert await books.get(f"/journals/{made['id']}") == made
    assert (await books.balance(CASH))["balance_minor"] == 0
    assert await books.refused(f"/journals/{made['id']}/reverse", wish) == (409, "already-reversed", ["body"])
    assert (await books.refused(f"/journals/{reversal['id']}/reverse", wish))[0] == 422
    assert (await books.refused(f"/journals/{uuid4()}/reverse", wish))[0] == 404


async def test_an_exchange_posts_four_legs_over_four_accounts(books: Books) -> None:
    await books.open(CASH, SALES, "assets:cash:USD", "assets:cash:JPY", "assets:cash:KWD")
    await books.move(CASH, SALES, 1_000_000)
    wish = {
        "source": CASH,
        "target": "assets:cash:USD",
        "amount_minor": 100_000,
        "rate": "0.011976",
        "rate_source": "a bank's card",
        "rate_at": "2025-12-31T12:00:00Z",
        "description": "dollars for a supplier",
    }
    made = await books.made("/exchanges", wish)
    assert made["kind"] == "exchange"
    assert [len(it["legs"]) for it in made["transfers"]] == [2, 2]
    assert made["details"] == {
        "rate": "0.011976",
        "rate_source": "a bank's card",
        "rate_at": "2025-12-31T12:00:00+00:00",
        "rounding": "half-even",
    }
    assert (await books.balance("assets:cash:USD"))["balance_minor"] == 1198
    assert (await books.balance("equity:exchange:USD"))["balance_minor"] == 1198
    assert all(it["balanced"] for it in (await books.get("/trial-balance"))["currencies"])
    for change, field in (
        ({"target": SALES}, "body.target"),
        ({"target": "assets:none:USD"}, "body.target"),
        ({"rate": "0"}, "body.amount_minor"),
        ({"rate": "1e5"}, "body.rate"),
        ({"rate": "-1"}, "body.rate"),
        ({"target_minor": 1197}, "body.target_minor"),
        ({"amount_minor": 0}, "body.amount_minor"),
    ):
        assert (await books.refused("/exchanges", {**wish, **change}))[2] == [field]


@pytest.mark.parametrize("cursor", hostile.CURSORS)
async def test_a_forged_cursor_is_no_fault_of_ours(books: Books, cursor: str) -> None:
    await books.open(CASH)
    for path in ("/accounts", "/journals", "/checkpoints", f"/accounts/{CASH}/statement"):
        answer = await books.client.get(f"{LEDGER}{path}", params={"cursor": cursor})
        assert answer.status_code in {200, 422}, (path, answer.text)


async def test_hostile_text_and_numbers_are_refused_or_kept_as_they_came(books: Books) -> None:
    await books.open(CASH, SALES)
    for text in hostile.TEXTS:
        try:
            answer = await books.send(
                "/journals", body_of(transfer(CASH, SALES, 1), description=text) | {"description": text}
            )
        except UnicodeEncodeError:
            continue
        assert answer.status_code in {201, 422}, text
        if answer.status_code == 201:
            assert answer.json()["description"] == text.strip()
    for number in hostile.NUMBERS:
        answer = await books.send("/journals", body_of(transfer(CASH, SALES, number)))
        assert answer.status_code in {201, 422}, number
        query = await books.client.get(f"{LEDGER}/accounts/{CASH}/balance", params={"up_to": number})
        assert query.status_code in {200, 422}, number


async def test_what_is_not_there_is_404_naming_the_field(books: Books) -> None:
    for path, field in (
        (f"/accounts/{CASH}", "path.code"),
        (f"/accounts/{CASH}/statement", "path.code"),
        (f"/accounts/{CASH}/balance", "path.code"),
        (f"/journals/{uuid4()}", "path.journal_id"),
        ("/checkpoints/5", "path.size"),
    ):
        answer = await books.client.get(f"{LEDGER}{path}")
        assert (answer.status_code, [it["field"] for it in answer.json()["errors"]]) == (404, [field])


async def test_the_journals_of_one_order_are_for_whoever_reads_orders_and_the_rest_is_not(
    books: Books, mint: Mint, anybody: httpx.AsyncClient
) -> None:
    await books.open(CASH, SALES)
    order = uuid4()
    made = await books.move(CASH, SALES, 49900, reference=f"order:{order}")
    await books.move(CASH, SALES, 5, reference=f"order:{uuid4()}")
    path = f"/internal/v1/orders/{order}/journals"
    assert (await anybody.get(path)).status_code == 401
    for scope in ("orders:read", "ledger:read"):
        answer = await anybody.get(path, headers={"authorization": f"Bearer {mint(scope)}"})
        assert answer.json()["items"] == [made]
    support = {"authorization": f"Bearer {mint('orders:read')}"}
    assert (await anybody.get("/v1/ledger/journals", headers=support)).status_code == 403
    refused = await anybody.get(path, headers={"authorization": f"Bearer {mint('content:write')}"})
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["rule"] == "must be a token with the scope ledger:read or orders:read"
