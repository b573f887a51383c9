"""A bank leaves the rail with money owed, also in the middle of a payment, and comes back: nothing is lost or doubled."""

import pytest

from services.upi_core.contract import Api, RespPay
from services.upi_core.tests.test_unhappy import to
from services.upi_core.tests.town import PAYER, Town, With

pytestmark = pytest.mark.integration
SHORT = 5
LONG = 900
"""Seconds, by rules thirty times as fast: longer than anybody is asked (240) and a reversal is tried (another 240)."""


async def leave(town: Town, code: str) -> None:
    """As the operator takes a bank away: its pods end, then the switch forgets it. Its database stays."""
    town.mesh.away.add(f"bank-{code}")
    assert (await town.http.delete(f"/internal/v1/participants/{code}")).status_code == 204


async def come_back(town: Town, code: str) -> None:
    """With the database that was kept."""
    town.mesh.away.remove(f"bank-{code}")
    assert await town.banks[code].state.membership.once()
    await town.later(LONG)


async def owed(town: Town, code: str) -> int:
    """What the bank owes the others; below nothing what they owe it."""
    return int((await town.bank(code, "books"))["settlement"]["minor"])


async def in_dispute(town: Town) -> list[str]:
    """Payments that wait for people."""
    return [one["txn_id"] for one in (await town.get("/internal/v1/disputes?only_open=true"))["items"]]


async def test_m1_what_a_bank_owes_when_it_leaves_stays_owed_and_in_its_books(town: Town) -> None:
    """The others' books alone do not add up to nothing then: what is missing is what the one that left owes."""
    await town.pay(minor=122_600)
    await leave(town, "banyan")
    await town.later(600)
    assert await owed(town, "asha") + await owed(town, "cedar") == -122_600
    assert await in_dispute(town) == []
    await come_back(town, "banyan")
    assert await owed(town, "banyan") == 122_600
    await town.assert_books()
    assert (await town.pay("A2"))["state"] == "success", "and it takes part as before"
    await town.assert_books()


async def test_m1_a_refund_to_a_bank_that_left_is_on_its_way_until_the_bank_is_back(town: Town) -> None:
    paid = await town.pay()
    await leave(town, "banyan")
    await town.merchant.say(Api.REQ_PAY, town.merchant.refund(paid["id"], PAYER, 49_900))
    await town.later(60)
    assert await town.got_by_merchant() == 0, "it has left the merchant's account"
    assert [one.resp.result for one in town.merchant.told(RespPay)] == ["DEEMED"], "and has not failed"
    await come_back(town, "banyan")
    assert town.merchant.results()[-1] == ("SUCCESS", "00")
    assert (await town.paid_by_meera(), await town.got_by_merchant()) == (0, 0)
    await town.assert_books()


@pytest.mark.parametrize(
    ("leaves", "lost", "away", "end"),
    [
        pytest.param("banyan", ("bank-banyan", "ReqPay"), SHORT, "reversed", id="not-yet-asked-to-debit"),
        pytest.param("banyan", ("bank-banyan", "ReqPay"), LONG, "reversed", id="never-asked-to-debit"),
        pytest.param("banyan", ("upi-core", "RespPay", '"DEBIT"'), SHORT, "success", id="debited-back-soon"),
        pytest.param("banyan", ("upi-core", "RespPay", '"DEBIT"'), LONG, "reversed", id="debited-back-late"),
        pytest.param("asha", ("bank-asha", "ReqPay"), SHORT, "success", id="not-yet-asked-to-credit"),
        pytest.param("asha", ("bank-asha", "ReqPay"), LONG, "success", id="never-asked-to-credit"),
        pytest.param("asha", ("upi-core", "RespPay", '"CREDIT"'), SHORT, "success", id="credited-back-soon"),
        pytest.param("asha", ("upi-core", "RespPay", '"CREDIT"'), LONG, "success", id="credited-back-late"),
    ],
)
async def test_m9_m10_a_bank_that_leaves_in_the_middle_of_a_payment_ends_it_when_it_is_back(
    town_with: With, leaves: str, lost: tuple[str, ...], away: int, end: str
) -> None:
    """Whom it leaves for long people are told; they need not do anything if it comes back first."""
    async with town_with({"scale": 30}) as town:
        town.mesh.lost.append(to(*lost))
        txn = await town.pay()
        await leave(town, leaves)
        town.mesh.lost.clear()
        await town.later(away)
        assert await in_dispute(town) == ([txn["id"]] if away == LONG else [])
        await come_back(town, leaves)
        assert (await town.story(txn["id"]))["state"] == end
        assert await in_dispute(town) == []
        moved = 49_900 if end == "success" else 0
        assert (await town.paid_by_meera(), await town.got_by_merchant()) == (moved, moved)
        await town.assert_books()
