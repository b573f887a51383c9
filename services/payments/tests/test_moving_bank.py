"""The merchant's account moves to another bank, or the list of banks changes: what began before goes on as it began."""

from typing import Any
from uuid import UUID

import pytest

from services.payments.domain.rails import NPCI
from services.payments.tests.conftest import MINOR, World
from services.payments.tests.people import made, read
from services.payments.tests.recorded import RAIL, VPA, accepted
from services.payments.tests.test_upi import published
from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code

pytestmark = pytest.mark.integration
NOW_AT = "suuupra@asha"
ASHA_FIRST: list[Any] = [{"code": "asha", "name": "Asha Bank"}, {"code": "cedar", "name": "Cedar Bank"}]
EDITS: dict[str, dict[str, Any]] = {
    "another bank": {"settlement": "asha"},
    "another order, in which the first counts": {"participants": ASHA_FIRST},
    "another bank, and the one before has left": {"participants": ASHA_FIRST[:1]},
}


@pytest.fixture(params=list(EDITS.values()), ids=list(EDITS))
def edit(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What of the rail is edited."""
    wanted: dict[str, Any] = request.param
    return wanted


async def edited(world: World, edit: dict[str, Any]) -> None:
    shown = read(await world.http.put("/internal/v1/rails/upi", json={**RAIL, **edit}))
    assert shown["payee_vpa"] == NOW_AT
    await world.deliver()


async def payee(world: World, payment: UUID) -> str:
    """To whom the payment's last attempt has its payer pay."""
    attempt = (await world.learner.payment(payment))["attempts"][-1]
    return upi.UpiLink.parse(attempt["upi_uri"]).pa


async def test_what_was_paid_before_is_refunded_from_the_address_that_was_paid(
    world: World, edit: dict[str, Any]
) -> None:
    before = await world.order()
    await world.pay(before)
    await edited(world, edit)
    made(await world.finance.refund(before))
    await world.deliver()
    (message,) = world.switch.heard("ReqPay")
    assert (message["payer"]["vpa"], message["payer"]["account"]) == (VPA, None)
    await world.switch.respond(message)
    assert (await world.learner.payment(before))["refunded"]["minor"] == MINOR


async def test_a_code_that_was_open_is_paid_at_the_address_it_has_and_a_new_one_has_the_new(
    world: World, edit: dict[str, Any]
) -> None:
    before, after = await world.order(), await world.order()
    reference = (await world.learner.attempt(before))["attempt"]["reference"]
    await edited(world, edit)
    assert await payee(world, before) == VPA
    asked = await world.switch.authorise(reference, MINOR)
    await world.switch.confirm(asked)
    newer = (await world.learner.attempt(after))["attempt"]["reference"]
    assert await payee(world, after) == NOW_AT
    accepted(
        await world.switch.say(Api.REQ_AUTH_DETAILS, world.switch.auth_details(newer, MINOR, vpa=NOW_AT))
    )
    await world.deliver()
    assert (await world.learner.payment(before))["status"] == "succeeded"
    answers = {it["txn"]["ref_id"]: it["payees"][0] for it in world.switch.heard("RespAuthDetails")}
    assert (answers[reference]["vpa"], answers[reference]["account"]) == (VPA, None), "the switch knows it"
    assert (answers[newer]["vpa"], answers[newer]["account"]["bank"]) == (NOW_AT, "asha")


async def test_an_attempt_is_paid_at_its_own_address_and_at_no_other_of_ours(world: World) -> None:
    reference = (await world.learner.attempt(await world.order()))["attempt"]["reference"]
    await edited(world, EDITS["another bank"])
    for wanted, vpa in ((reference, NOW_AT), ("P0000000000000000000", VPA)):
        asked = world.switch.auth_details(wanted, MINOR, vpa=vpa)
        accepted(await world.switch.say(Api.REQ_AUTH_DETAILS, asked))
    await world.deliver()
    codes = [it["resp"]["code"] for it in world.switch.heard("RespAuthDetails")]
    assert codes == [Code.VPA_UNKNOWN] * 2


async def test_a_link_that_failed_and_is_paid_again_after_the_edit_is_refunded_from_its_address(
    world: World,
) -> None:
    payment = await world.order()
    reference = (await world.learner.attempt(payment))["attempt"]["reference"]
    await world.switch.confirm(await world.switch.authorise(reference, MINOR), "FAILURE", Code.WRONG_PIN)
    await edited(world, EDITS["another bank"])
    await world.switch.confirm(await world.switch.authorise(reference, MINOR))
    made(await world.finance.refund(payment))
    await world.deliver()
    assert [it["payer"]["vpa"] for it in world.switch.heard("ReqPay")] == [VPA]


async def test_m21_money_that_comes_twice_goes_back_from_the_address_it_came_to(world: World) -> None:
    payment = await world.order()
    reference = (await world.learner.attempt(payment))["attempt"]["reference"]
    late = await world.switch.authorise(reference, MINOR)
    await world.switch.confirm(late, "FAILURE", Code.DEBIT_TIMEOUT)
    await edited(world, EDITS["another bank"])
    second = (await world.learner.attempt(payment))["attempt"]["reference"]
    asked = world.switch.auth_details(second, MINOR, vpa=NOW_AT)
    accepted(await world.switch.say(Api.REQ_AUTH_DETAILS, asked))
    await world.switch.confirm(asked)
    await world.switch.confirm(late)
    await world.deliver()
    (message,) = world.switch.heard("ReqPay")
    assert (message["payer"]["vpa"], message["txn"]["org_txn_id"]) == (VPA, late.txn.id)


async def test_a_refund_from_a_bank_that_has_left_fails_with_its_address(world: World) -> None:
    payment = await world.order()
    await world.pay(payment)
    await edited(world, EDITS["another bank, and the one before has left"])
    refund = made(await world.finance.refund(payment))
    for pause in (0, *(it.total_seconds() for it in NPCI.retry_pauses)):
        await world.pass_time(seconds=pause)
        await world.switch.respond(world.switch.heard("ReqPay")[-1], "FAILURE", Code.PAYER_BANK_DOWN)
    (told,) = await published(world, "refund.failed")
    assert (told["refund_id"], told["code"], told["reason"]) == (
        refund["id"],
        Code.PAYER_BANK_DOWN,
        "The bank of suuupra@cedar, where the payment went, has left the rail or is not available.",
    )
