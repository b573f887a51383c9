"""Kafka, PostgreSQL, the operator, the switch and a bank are killed while orders are paid: nothing lost, nothing doubled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from .banks import RAIL, Account, Bank, every_bank, settled_money
from .books import Ledger, assert_all_agree, assert_sound, finance_token, staff
from .kube import INFRA, WORKLOADS, Kube, eventually, resources
from .patient import await_operator, await_pod, kill, kill_all, kill_operator
from .shoppers import AT_ONCE, Buyer, Shop, shopping

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

GOES_ON_WITHIN = 300.0
ARRIVED_WITHIN = 120.0
SWITCH = "upi-core"
OUTBOXES = ("commerce", "payments", "content", "identity")


@pytest.fixture
def all_banks(kube: Kube) -> list[Bank]:
    """The merchant's first, then the other participants, then those that left the rail before."""
    return every_bank(kube)


@pytest.fixture
def finance(kube: Kube) -> str:
    return finance_token(kube)


@pytest.fixture
def accounts(all_banks: list[Bank], platform_url: str, books_that_balance: None) -> Iterator[list[Account]]:
    """To pay from, at another bank than the merchant's; enough of them, as a day's payments from one are limited."""
    made = [all_banks[1].open_account(platform_url, "Kamala Buyer", 50_000) for _ in range(3 * AT_ONCE)]
    yield made
    all_banks[1].hide(*made)


@contextmanager
def money_stays_what_it_was(all_banks: list[Bank]) -> Iterator[None]:
    """Inside, money moves."""
    before = settled_money(all_banks, ARRIVED_WITHIN)
    yield
    assert settled_money(all_banks, ARRIVED_WITHIN) == before


def goes_on(shop: Shop, times: int = 2) -> None:
    """Orders are paid and given back after this moment, not only before it."""
    paid, refunded = len(shop.paid), len(shop.refunded)
    eventually(
        lambda: len(shop.paid) >= paid + times and len(shop.refunded) >= refunded + times,
        GOES_ON_WITHIN,
        "orders are paid and refunded again",
    )


def assert_each_order_happened_once(shop: Shop, buyers: list[Buyer], finance: str, kube: Kube) -> None:
    """Of every order of theirs: one payment, one journal and one right, and of one that went back one refund."""
    with staff(shop.url, finance) as api:
        ledger = Ledger(api)
        eventually(lambda: unpublished(kube) == 0, ARRIVED_WITHIN, "every event was published")
        assert_all_agree(kube, ledger)
        assert_sound(kube, ledger)
        assert journals(ledger, shop.paid) == {
            order: ["payment refunded", "payment succeeded"]
            if order in shop.refunded
            else ["payment succeeded"]
            for order in shop.paid
        }
        for buyer in buyers:
            buyer.show_pass()
            assert_has_what_was_told(shop, buyer, kube)


def journals(ledger: Ledger, orders: set[str]) -> Mapping[str, list[str]]:
    """What was posted about each order, by its description."""
    found: dict[str, list[str]] = {order: [] for order in orders}
    for record in ledger.records():
        order = (record["reference"] or "").removeprefix("order:")
        if order in found:
            found[order].append(record["description"])
    return {order: sorted(descriptions) for order, descriptions in found.items()}


def assert_has_what_was_told(shop: Shop, buyer: Buyer, kube: Kube) -> None:
    """One buyer: no order that is not theirs, each paid once, the last one kept, and the course open by it alone."""
    asked = buyer.api.get("/v1/orders", params={"limit": 100}).raise_for_status().json()["items"]
    assert {order["id"]: order["status"] for order in asked} == {
        order: "refunded" if order in shop.refunded else "fulfilled" for order in buyer.orders
    }
    for order in buyer.orders:
        (payment,) = (
            buyer.api.get("/v1/payments", params={"order_id": order}).raise_for_status().json()["items"]
        )
        states = [attempt["state"] for attempt in payment["attempts"]]
        assert states.count("succeeded") == 1, payment
        assert len(payment["refunds"]) == (order in shop.refunded), payment
    listed = ", ".join(f"'{order}'" for order in buyer.orders)
    rights = kube.psql(
        "commerce", f"select order_id, revoked_at is null from entitlement where order_id in ({listed})"
    )
    assert sorted(rights) == sorted(f"{o}|{'f' if o in shop.refunded else 't'}" for o in buyer.orders)
    eventually(
        lambda: all_open(buyer.api, shop.course), ARRIVED_WITHIN, f"the course is open to {buyer.email}"
    )


def all_open(api: httpx.Client, course: str) -> bool:
    contents = api.get(f"/v1/courses/{course}/contents").raise_for_status().json()
    return not any(lesson["locked"] for module in contents["modules"] for lesson in module["lessons"])


def unpublished(kube: Kube) -> int:
    waiting = "select count(*) from outbox where published_at is null"
    return sum(int(kube.psql(database, waiting)[0]) for database in OUTBOXES)


def test_m6_m9_nothing_is_lost_or_doubled_while_everything_on_moneys_way_is_killed(
    kube: Kube, platform_url: str, all_banks: list[Bank], accounts: list[Account], finance: str
) -> None:
    """M1 as well: afterwards the money in all banks is what it was, and ledger and statements agree line by line.

    Learners pay from another bank than the merchant's, so that the bank that is killed is the one that credits.
    """
    with (
        money_stays_what_it_was(all_banks),
        shopping(kube, platform_url, accounts, finance, "survivor") as (shop, buyers),
    ):
        goes_on(shop, times=1)
        for pod in ("kafka-0", "postgres-0"):
            kill(kube, INFRA, pod)
            await_pod(kube, pod, INFRA)
            goes_on(shop)
        led = kill_operator(kube)
        goes_on(shop)
        await_operator(kube, led)
        for resource in (SWITCH, f"bank-{all_banks[0].code}"):
            kill_all(kube, resource)
            goes_on(shop)
        shop.closes()
        assert_each_order_happened_once(shop, buyers, finance_token(kube), kube)
    for name in resources():
        kube.await_ready(name, within=120)


def test_editing_a_participant_while_it_pays_loses_nothing(
    kube: Kube, platform_url: str, all_banks: list[Bank], accounts: list[Account], finance: str
) -> None:
    """The payers' bank gets another profile and its own back, and the merchant's after it."""
    with (
        money_stays_what_it_was(all_banks),
        shopping(kube, platform_url, accounts, finance, "edited") as (shop, buyers),
    ):
        goes_on(shop, times=1)
        for bank in all_banks[1::-1]:
            with profiled(kube, bank, latency="150ms", seed=77):
                goes_on(shop)
            goes_on(shop)
        shop.closes()
        assert_each_order_happened_once(shop, buyers, finance_token(kube), kube)


@contextmanager
def profiled(kube: Kube, bank: Bank, **profile: Any) -> Iterator[None]:
    """A bank with another profile, until the block ends; rolled out both times."""
    before = kube.get("paymentrail", RAIL)["spec"]["participants"]

    def become(participants: list[dict[str, Any]]) -> None:
        patch = json.dumps({"spec": {"participants": participants}})
        kube.run("patch", "paymentrail", RAIL, "-n", WORKLOADS, "--type=merge", "-p", patch)
        wanted = next(one["profile"]["seed"] for one in participants if one["code"] == bank.code)

        def told() -> bool:
            member = kube.get("suuupraservice", f"bank-{bank.code}")
            return bool(json.loads(member["spec"]["env"]["BANK_PROFILE"])["seed"] == wanted)

        eventually(told, 60, f"bank-{bank.code} is told its profile")
        kube.await_ready(f"bank-{bank.code}", within=180)

    become(
        [one | {"profile": one["profile"] | profile} if one["code"] == bank.code else one for one in before]
    )
    try:
        yield
    finally:
        become(before)
