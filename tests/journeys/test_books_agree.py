"""After a payment and after a refund: order, ledger and the statements of both banks say the same, to the paisa."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from suuupra.money import Money
from suuupra.writing import money
from tests.cluster.banks import RAIL, Account, Bank, banks
from tests.cluster.books import (
    CLEARING,
    Ledger,
    assert_all_agree,
    assert_sound,
    finance_token,
    staff,
)
from tests.cluster.kube import Kube, eventually

from .browser import picture, visit
from .people import fill_cart, pay, pay_button
from .printed import Said, print_out

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

COURSE = "The Python Tutorial"
MERCHANT = "SUUUPRA001"
POSTED_WITHIN = 30.0
LOOKED_WITHIN = 120.0
"""The switch counts a leg when its time is over, and the operator looks every half minute."""


@dataclass(frozen=True)
class Office:
    """Where the books are kept: finance's view of shop and ledger, and both banks' of their customers."""

    kube: Kube
    api: httpx.Client
    ledger: Ledger
    payer: Account

    def order(self, order: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v1/orders/{order}").raise_for_status().json()
        return found

    def payment(self, order: str) -> dict[str, Any]:
        """The order's one payment."""
        answer = self.api.get("/v1/payments", params={"order_id": order}).raise_for_status()
        (found,) = answer.json()["items"]
        return dict(found)

    def journals(self, order: str, count: int) -> list[dict[str, Any]]:
        """The order's journals, once there are so many."""

        def all_there() -> list[dict[str, Any]] | None:
            found = self.ledger.journals(order)
            return found if len(found) >= count else None

        found = eventually(all_there, POSTED_WITHIN, f"{count} journals about order {order}")
        assert len(found) == count, found
        return found

    def entries(self, bank: Bank, transaction: str, number: str) -> list[dict[str, Any]]:
        """What an account's statement has of a transaction of the rail."""
        entries = bank.statement(number)["entries"]
        return [entry for entry in entries if entry["txn_id"] == transaction]

    def accounts(self) -> list[tuple[Bank, str]]:
        """The merchant's account and the payer's: bank and number of each."""
        merchant, *others = banks(self.kube)
        payer = next(bank for bank in others if self.payer.vpa.endswith(f"@{bank.code}"))
        return [(merchant, MERCHANT), (payer, self.number(payer))]

    def number(self, bank: Bank) -> str:
        """The payer's account at a bank."""
        accounts = bank.read("/internal/v1/accounts")[0]["items"]
        return next(str(one["number"]) for one in accounts if one["vpa"] == self.payer.vpa)


@pytest.fixture
def office(kube: Kube, platform_url: str, elsewhere: Account) -> Iterator[Office]:
    with staff(platform_url, finance_token(kube)) as api:
        yield Office(kube, api, Ledger(api), elsewhere)


def test_m1_order_ledger_and_both_banks_statements_agree_when_it_is_paid_and_when_it_is_refunded(
    context: BrowserContext, platform_url: str, office: Office
) -> None:
    with visit(context, "books-agree") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        order = page.url.rsplit("/", 1)[1]
        pay(context, page, office.payer)
        assert_paid_is_told_alike(office, order)
        agreed = assert_all_agree(office.kube, office.ledger, MERCHANT)
        picture_of_the_books(context, office, assert_sound(office.kube, office.ledger))
        picture_of_the_statements(context, office, order, len(agreed))

        give_back(office, order)
        expect_refunded(page, platform_url, order)
        assert_refunded_is_told_alike(office, order)
        assert_all_agree(office.kube, office.ledger, MERCHANT)
        assert_sound(office.kube, office.ledger)
        assert_the_rail_tells_how_its_banks_did(office)


def assert_the_rail_tells_how_its_banks_did(office: Office) -> None:
    """As `kubectl get paymentrail upi` has it: every bank is up, and both that took part have a success share."""
    took_part = {bank.code for bank, _ in office.accounts()}

    def told() -> bool:
        said = office.kube.get("paymentrail", RAIL)["status"]["participants"]
        well = all(one["state"] == "up" for one in said)
        return well and took_part <= {one["code"] for one in said if one.get("successShare")}

    eventually(
        told, LOOKED_WITHIN, f"all banks are up, {' and '.join(sorted(took_part))} with a success share"
    )


def assert_paid_is_told_alike(office: Office, order: str) -> None:
    """The journal is the payment: the same id, amount and tax as the order; and a line in each statement."""
    (journal,) = office.journals(order, 1)
    seen, payment = office.order(order), office.payment(order)
    assert journal["id"] == payment["id"] == seen["payments"][0]["payment_id"]
    total, tax = seen["total"]["minor"], seen["tax"]["minor"]
    assert legs(journal) == {
        (CLEARING, "debit"): total,
        ("revenue:courses:INR", "credit"): total - tax,
        ("liabilities:gst-output:INR", "credit"): tax,
    }
    paid = next(attempt for attempt in payment["attempts"] if attempt["state"] == "succeeded")
    assert_booked_at_both_banks(office, journal, total, reference=paid["reference"])


def picture_of_the_books(context: BrowserContext, office: Office, verified: str) -> None:
    """The ledger balanced, and its chain verified."""
    balance = [
        f"{one['currency']}: debits {amount(one['debit_total_minor'], one['currency'])}, "
        f"credits {amount(one['credit_total_minor'], one['currency'])}: "
        f"{'balanced' if one['balanced'] else 'NOT BALANCED'}"
        for one in office.ledger.trial_balance()
    ]
    every = [Said("python -m suuupra ledger verify", [verified]), Said("/v1/ledger/trial-balance", balance)]
    print_out(context, "books-verified", "The ledger is balanced, its chain verified", every)


def picture_of_the_statements(context: BrowserContext, office: Office, order: str, agreed: int) -> None:
    """The payment in the ledger and in both banks' statements, and how many of all agree line by line."""
    (journal,) = office.journals(order, 1)
    details = journal["details"]
    posted = [f"{account}: {side} {amount(minor, 'INR')}" for (account, side), minor in legs(journal).items()]
    every = [Said(f"Ledger: journal {journal['sequence']}, rrn {details['rrn']}", posted)]
    for bank, number in office.accounts():
        (entry,) = office.entries(bank, details["rail_reference"], number)
        line = f"{entry['at'][:19]}  rrn {entry['rrn']}  {amount(entry['amount']['minor'], 'INR')}"
        left = f"balance {amount(entry['balance']['minor'], 'INR')}"
        every.append(Said(f"{bank.code.capitalize()} Bank: statement of {number}", [f"{line}  {left}"]))
    same = f"{agreed} transactions are in the ledger, in the merchant's statement and in a payer's, each to the same paisa"
    print_out(
        context,
        "statements-agree",
        "Both statements agree with the ledger",
        [*every, Said("All of them", [same])],
    )


def amount(minor: int, currency: str) -> str:
    return money(Money(minor, currency))


def assert_refunded_is_told_alike(office: Office, order: str) -> None:
    """The second journal is the refund: it undoes the first, and so does a line in each statement."""
    paid, back = office.journals(order, 2)
    seen = office.order(order)
    (refund,) = seen["refunds"]
    total, tax = seen["total"]["minor"], seen["tax"]["minor"]
    assert (back["id"], refund["amount"]["minor"]) == (refund["id"], total)
    assert back["details"]["payment_id"] == paid["id"]
    assert legs(back) == {
        ("revenue:refunds:INR", "debit"): total - tax,
        ("liabilities:gst-output:INR", "debit"): tax,
        (CLEARING, "credit"): total,
    }
    assert_booked_at_both_banks(office, back, -total, reference=refund["id"])


def legs(journal: dict[str, Any]) -> dict[tuple[str, str], int]:
    (transfer,) = journal["transfers"]
    return {(leg["account"], leg["side"]): leg["amount_minor"] for leg in transfer["legs"]}


def assert_booked_at_both_banks(
    office: Office, journal: dict[str, Any], minor: int, *, reference: str
) -> None:
    """One line in the merchant's statement and one in the payer's, both with the journal's ids, rrn and amount."""
    transaction, rrn = journal["details"]["rail_reference"], journal["details"]["rrn"]
    for (bank, number), moved in zip(office.accounts(), (minor, -minor), strict=True):
        (entry,) = office.entries(bank, transaction, number)
        assert (entry["amount"], entry["rrn"], entry["ref_id"]) == (
            {"minor": moved, "currency": "INR"},
            rrn,
            reference,
        ), bank.code


def give_back(office: Office, order: str) -> None:
    """All of an order's money, by the API."""
    once = {"Idempotency-Key": f"refund-{order}"}
    answer = office.api.post(f"/v1/orders/{order}/refunds", headers=once)
    assert answer.status_code == 201, answer.text


def expect_refunded(page: Page, url: str, order: str) -> None:
    """The learner sees it, and that the course can be bought again."""
    page.goto(f"{url}/orders/{order}")
    refunded = page.get_by_text("Refunded", exact=True)
    for _ in range(60):
        if refunded.count():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(refunded).to_be_visible()
    picture(page, "order-refunded")
    page.goto(f"{url}/orders/{order}/receipt")
    picture(page, "receipt-refunded")
    page.goto(url)
    page.get_by_role("link", name=COURSE, exact=True).first.click()
    expect(page.get_by_role("button", name=re.compile("^Add (.* )?to cart$")).first).to_be_visible()
