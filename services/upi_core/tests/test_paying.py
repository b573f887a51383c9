"""Paying over the whole rail: switch, banks and merchant, by intent or QR."""

import pytest

from services.upi_core import contract as upi
from services.upi_core.contract import Code
from services.upi_core.tests.town import PAYER, POOR, Town

pytestmark = pytest.mark.integration


async def test_a_scanned_code_is_paid_and_everybody_is_told_once(town: Town) -> None:
    txn = await town.pay()
    assert (txn["state"], txn["code"]) == ("success", "00")
    assert town.merchant.results() == [("SUCCESS", "00")]
    assert await town.paid_by_meera() == 49_900 == await town.got_by_merchant()
    await town.assert_books()


async def test_the_timeline_tells_the_whole_story_by_one_id(town: Town) -> None:
    txn = await town.pay()
    story = await town.story(txn["id"])
    assert [entry["note"] for entry in story["timeline"]] == [
        "requested",
        "authorised",
        "debited",
        "credited",
        "confirmed",
    ]
    assert {leg["leg"]: (leg["bank"], leg["code"]) for leg in story["legs"]} == {
        "DEBIT": ("banyan", "00"),
        "CREDIT": ("asha", "00"),
    }
    assert len(story["rrn"]) == 12
    assert story["ref_id"] == "A1"


async def test_the_merchants_confirmation_names_its_reference_and_the_rrn(town: Town) -> None:
    txn = await town.pay(ref="attempt-7")
    confirmation = town.merchant.told(upi.ReqTxnConfirmation)[0]
    assert confirmation.txn.ref_id == "attempt-7"
    assert confirmation.txn.cust_ref == txn["rrn"]
    assert confirmation.txn.org_txn_id == txn["id"]
    assert confirmation.payer.vpa == PAYER


async def test_a_wrong_pin_is_zm_and_nothing_moves(town: Town) -> None:
    txn = await town.pay(pin="9999")
    assert (txn["state"], txn["code"]) == ("failed", "ZM")
    assert town.merchant.results() == [("FAILURE", "ZM")]
    assert await town.paid_by_meera() == 0


async def test_a_pin_is_blocked_after_three_wrong_ones(town: Town) -> None:
    codes = [(await town.pay(ref=f"A{number}", pin="9999"))["code"] for number in range(3)]
    assert codes == ["ZM", "ZM", "ZM"]
    assert (await town.pay(ref="A9"))["code"] == "Z6", "the right one comes too late"
    town.clock.advance(24 * 3600 + 1)
    assert (await town.pay(ref="A10"))["code"] == "00"


async def test_too_little_money_is_z9(town: Town) -> None:
    assert (await town.pay(payer=POOR, pin="1357"))["code"] == "Z9"


async def test_declining_is_za_and_the_merchant_is_told(town: Town) -> None:
    page = await town.open(town.merchant.link())
    answer = await town.http.post(f"{page}/decline", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303
    await town.settle()
    assert town.merchant.results() == [("FAILURE", "ZA")]
    assert town.merchant.told(upi.ReqTxnConfirmation)[0].txn.ref_id == "A1"


@pytest.mark.parametrize("code", [Code.AUTH_DECLINED, Code.MISMATCH, Code.EXPIRED])
async def test_a_merchant_that_refuses_is_believed_and_nothing_is_debited(town: Town, code: Code) -> None:
    town.merchant.auth = code
    assert (await town.pay())["code"] == code.value
    assert await town.paid_by_meera() == 0


@pytest.mark.parametrize("old", [False, True])
async def test_a_message_that_its_receiver_refuses_for_good_ends_the_payment_and_is_not_sent_again(
    town: Town, old: bool
) -> None:
    """Whatever the age of the receiver: by a problem, or by the `err` of its acknowledgement."""
    town.merchant.refuses, town.merchant.old = Code.DUPLICATE, old
    txn = await town.pay()
    assert (txn["state"], txn["code"]) == ("failed", "U01")
    await town.later(5)
    assert [town.mesh.count(api) for api in ("ReqAuthDetails", "ReqTxnConfirmation")] == [1, 1]
    assert await town.paid_by_meera() == 0


async def test_a_merchant_that_never_answers_is_u09(town: Town) -> None:
    town.merchant.auth = None
    txn = await town.pay()
    assert txn["state"] == "initiated"
    await town.later(14)
    assert (await town.story(txn["id"]))["state"] == "initiated"
    await town.later(2)
    assert (await town.story(txn["id"]))["code"] == "U09"


async def test_approving_twice_pays_once(town: Town) -> None:
    page = await town.open(town.merchant.link())
    await town.approve(page)
    await town.approve(page)
    await town.settle()
    assert len(await town.tried("A1")) == 1
    assert await town.paid_by_meera() == 49_900


async def test_opening_a_link_again_shows_the_same_request(town: Town) -> None:
    link = town.merchant.link()
    assert await town.open(link) == await town.open(link)


async def test_paying_a_person_goes_through_their_bank(town: Town) -> None:
    link = "upi://pay?pa=kabir@cedar&pn=Kabir&am=100.00&cu=INR&tr=P1"
    await town.approve(await town.open(link))
    await town.settle()
    assert (await town.tried("P1"))[0]["state"] == "success"
    assert await town.balance("cedar", "CEDAR100002") == 60_000_00 + 100_00
    await town.assert_books()


async def test_money_within_one_bank_moves_too(town: Town) -> None:
    link = "upi://pay?pa=kabir@banyan&pn=Kabir&am=100.00&cu=INR&tr=P1"
    await town.approve(await town.open(link))
    await town.settle()
    assert await town.balance("banyan", "BANYAN100002") == 60_000_00 + 100_00
    await town.assert_books()
