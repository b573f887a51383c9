"""Refunds never exceed what was paid (M5); limits of the rulebook; an id never passes for other content (M4)."""

import asyncio
from typing import Any

import pytest

from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from services.upi_core.tests.town import PAYER, Town, With
from suuupra.db import Database
from suuupra.money import Money
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration


async def refund(town: Town, message: upi.ReqPay) -> tuple[str, str]:
    """Ask for a refund; (result, code) of its RespPay."""
    await town.merchant.say(Api.REQ_PAY, message)
    await town.settle()
    answer = town.merchant.told(upi.RespPay)[-1]
    assert answer.resp.req_msg_id == message.head.msg_id
    return answer.resp.result, answer.resp.code.value


async def test_a_refund_takes_money_from_the_merchant_to_the_payer(town: Town) -> None:
    paid = await town.pay()
    result = await refund(town, town.merchant.refund(paid["id"], PAYER, 10_000))
    assert result == ("SUCCESS", "00")
    assert await town.paid_by_meera() == 39_900 == await town.got_by_merchant()
    story = await town.story(paid["id"])
    assert len(story["refunds"]) == 1
    assert (await town.story(story["refunds"][0]))["org_txn_id"] == paid["id"]
    await town.assert_books()


async def test_m5_refunds_never_exceed_what_was_paid(town: Town) -> None:
    paid = await town.pay()
    assert (await refund(town, town.merchant.refund(paid["id"], PAYER, 30_000)))[1] == "00"
    assert await refund(town, town.merchant.refund(paid["id"], PAYER, 20_000)) == ("FAILURE", "U02")
    assert (await refund(town, town.merchant.refund(paid["id"], PAYER, 19_900)))[1] == "00"
    assert await town.paid_by_meera() == 0
    await town.assert_books()


async def test_m5_of_two_whole_refunds_at_once_one_wins(town: Town) -> None:
    paid = await town.pay()
    both = [town.merchant.refund(paid["id"], PAYER, 49_900) for _ in range(2)]
    await asyncio.gather(*(town.merchant.say(Api.REQ_PAY, one) for one in both))
    await town.settle()
    codes = sorted(one.resp.code.value for one in town.merchant.told(upi.RespPay))
    assert codes == ["00", "U02"]
    assert await town.paid_by_meera() == 0
    assert await town.got_by_merchant() == 0


async def test_m4_the_same_refund_sent_twice_is_made_once_and_answered_twice(town: Town) -> None:
    paid = await town.pay()
    message = town.merchant.refund(paid["id"], PAYER, 10_000)
    assert (await refund(town, message))[0] == "SUCCESS"
    again = message.model_copy(update={"head": town.merchant.head()})
    assert (await town.merchant.say(Api.REQ_PAY, again)).err is None
    await town.settle()
    assert await town.paid_by_meera() == 39_900


@pytest.mark.parametrize("change", ["msg_id", "txn_id"])
async def test_m4_an_id_with_other_content_never_passes_as_a_duplicate(town: Town, change: str) -> None:
    paid = await town.pay()
    message = town.merchant.refund(paid["id"], PAYER, 10_000)
    await refund(town, message)
    other = town.merchant.refund(paid["id"], PAYER, 20_000)
    kept = {"head": message.head} if change == "msg_id" else {"txn": message.txn}
    async with unchanged(town.switch.state.resources.get(Database)):
        refused = await town.merchant.refused(Api.REQ_PAY, other.model_copy(update=kept))
        await town.settle()
    (fault,) = refused["errors"]
    field = "body.head.msg_id" if change == "msg_id" else "body.txn.id"
    assert (refused["code"], fault["field"]) == (Code.DUPLICATE, field)
    assert fault["rule"]
    assert fault["fix"]
    assert await town.paid_by_meera() == 39_900


async def test_a_refund_that_fails_can_be_made_again(town: Town) -> None:
    paid = await town.pay()
    town.banks["asha"].state.bank.profile.__dict__["failure_share"] = 1.0
    assert await refund(town, town.merchant.refund(paid["id"], PAYER, 49_900)) == ("FAILURE", "XY")
    town.banks["asha"].state.bank.profile.__dict__["failure_share"] = 0.0
    assert (await refund(town, town.merchant.refund(paid["id"], PAYER, 49_900)))[1] == "00"


async def test_a_refund_of_nothing_that_was_paid_is_u48(town: Town) -> None:
    unknown = upi.new_txn_id("XXX")
    assert await refund(town, town.merchant.refund(unknown, PAYER, 100)) == ("FAILURE", "U48")
    failed = await town.pay(pin="9999")
    assert (await refund(town, town.merchant.refund(failed["id"], PAYER, 100)))[0] == "FAILURE"


async def test_a_refund_goes_to_whoever_paid_and_to_nobody_else(town: Town) -> None:
    paid = await town.pay()
    assert (await refund(town, town.merchant.refund(paid["id"], "kabir@cedar", 100))) == ("FAILURE", "U12")


async def test_a_refund_from_a_bank_that_has_left_is_refused_at_once_and_made_when_it_is_back(
    town: Town,
) -> None:
    paid = await town.pay()
    assert (await town.http.delete("/internal/v1/participants/asha")).status_code == 204
    assert await refund(town, town.merchant.refund(paid["id"], PAYER, 49_900)) == ("FAILURE", "XY")
    assert await town.got_by_merchant() == 49_900
    assert await town.banks["asha"].state.membership.once()
    assert await refund(town, town.merchant.refund(paid["id"], PAYER, 49_900)) == ("SUCCESS", "00")
    assert (await town.paid_by_meera(), await town.got_by_merchant()) == (0, 0)
    await town.assert_books()


async def test_u02_a_payment_to_a_person_has_a_lower_limit_than_one_for_education(town: Town) -> None:
    await town.approve(await town.open("upi://pay?pa=kabir@cedar&am=100000.01&cu=INR&tr=P1"))
    await town.settle()
    assert (await town.tried("P1"))[0]["code"] == "U02"
    assert (await town.pay(ref="A1", minor=200_000_00))["code"] == "00", "education: ₹5 lakh"


async def test_u02_the_day_has_a_limit_and_the_next_one_its_own(town_with: With) -> None:
    limit = {"kind": "P2M", "perTransactionMinor": 100_000, "perDayMinor": 150_000}
    async with town_with({"limits": [limit]}) as town:
        assert (await town.pay("A1", 100_000))["code"] == "00"
        assert (await town.pay("A2", 60_000))["code"] == "U02"
        assert (await town.pay("A3", 50_000))["code"] == "00", "what was refused did not count"
        town.clock.advance(24 * 3600)
        assert (await town.pay("A4", 100_000))["code"] == "00"


async def test_u02_a_failed_payment_gives_its_part_of_the_day_back(town_with: With) -> None:
    limit = {"kind": "P2M", "perTransactionMinor": 100_000, "perDayMinor": 100_000}
    async with town_with({"limits": [limit]}) as town:
        assert (await town.pay("A1", 100_000, pin="9999"))["code"] == "ZM"
        assert (await town.pay("A2", 100_000))["code"] == "00"


async def test_z7_only_so_many_payments_a_day(town_with: With) -> None:
    async with town_with({"perDayCount": 2}) as town:
        codes = [(await town.pay(f"A{number}", 100))["code"] for number in range(3)]
        assert codes == ["00", "00", "Z7"]


async def test_u02_payments_at_once_do_not_slip_past_the_day(town_with: With) -> None:
    limit = {"kind": "P2M", "perTransactionMinor": 100_000, "perDayMinor": 100_000}
    async with town_with({"limits": [limit]}) as town:
        pages = [await town.open(town.merchant.link(40_000, f"A{number}")) for number in range(5)]
        await asyncio.gather(*(town.approve(page) for page in pages))
        await town.settle()
        codes = sorted([(await town.tried(f"A{number}"))[0]["code"] for number in range(5)])
        assert codes == ["00", "00", "U02", "U02", "U02"]


async def test_u03_a_bank_at_its_net_debit_cap_pays_no_more_today(town_with: With) -> None:
    async with town_with({"netDebitCaps": {"banyan": 60_000}}) as town:
        assert (await town.pay("A1", 50_000))["code"] == "00"
        assert (await town.pay("A2", 20_000))["code"] == "U03"


async def test_u03_payments_at_once_do_not_slip_past_the_net_debit_cap(town_with: With) -> None:
    """Eight payments of one bank's at once (fewer than the switch has connections), of which three fit."""
    async with town_with({"netDebitCaps": {"banyan": 30_000}}) as town:
        pages = [await town.open(town.merchant.link(10_000, f"A{number}")) for number in range(8)]
        await asyncio.gather(*(town.approve(page) for page in pages))
        await town.settle()
        codes = sorted([(await town.tried(f"A{number}"))[0]["code"] for number in range(8)])
        assert codes == ["00"] * 3 + ["U03"] * 5


async def test_u16_a_payment_that_its_psp_finds_too_risky_is_declined(town: Town) -> None:
    message = payment(town, risk_score=95)
    await town.merchant.say(Api.REQ_PAY, message)
    await town.settle()
    assert town.merchant.told(upi.RespPay)[-1].resp.code is Code.RISK


def payment(town: Town, **changes: Any) -> upi.ReqPay:
    """A ReqPay of a PSP of the payer, as another app than ours would send it."""
    amount = Money(100, "INR")
    values: dict[str, Any] = {
        "head": town.merchant.head(),
        "txn": town.merchant.txn(upi.TxnType.PAY),
        "payer": upi.Payer(vpa=PAYER, amount=amount),
        "payees": [upi.Payee(vpa="kabir@cedar", amount=amount)],
    }
    return upi.ReqPay(**(values | changes))


@pytest.mark.parametrize(("vpa", "code"), [("nobody@nowhere", "U17"), ("nobody@cedar", "ZH")])
async def test_u17_an_address_of_nobody_is_refused(town: Town, vpa: str, code: str) -> None:
    amount = Money(100, "INR")
    await town.merchant.say(Api.REQ_PAY, payment(town, payees=[upi.Payee(vpa=vpa, amount=amount)]))
    await town.settle()
    assert town.merchant.told(upi.RespPay)[-1].resp.code.value == code


async def test_u54_a_pin_entered_for_another_payment_is_worth_nothing(town: Town) -> None:
    directory = town.switch.state.rail.directory
    await directory.fresh()
    bank = directory.participant("banyan")
    sealed = upi.seal_pin(bank.encryption, "1234", upi.new_txn_id("OTH"), 100)
    amount = Money(100, "INR")
    payer = upi.Payer(vpa=PAYER, amount=amount, credential=upi.Credential(data=sealed))
    await town.merchant.say(Api.REQ_PAY, payment(town, payer=payer))
    await town.settle()
    assert town.merchant.told(upi.RespPay)[-1].resp.code.value == "U54"


async def test_a_psp_may_ask_how_its_payment_ended_and_nobody_elses(town: Town) -> None:
    paid = await town.pay()
    await town.merchant.say(Api.REQ_CHK_TXN, town.merchant.check(paid["id"]))
    await town.merchant.say(Api.REQ_CHK_TXN, town.merchant.check(upi.new_txn_id("XXX")))
    await town.approve(await town.open("upi://pay?pa=kabir@cedar&am=1.00&cu=INR&tr=P1"))
    await town.settle()
    private = (await town.tried("P1"))[0]
    await town.merchant.say(Api.REQ_CHK_TXN, town.merchant.check(private["id"]))
    await town.settle()
    codes = [one.resp.code.value for one in town.merchant.told(upi.RespChkTxn)]
    assert sorted(codes) == ["00", "U48", "U48"]
