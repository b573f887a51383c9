"""The merchant's side of the UPI rail, against messages as its contract has them."""

import asyncio
import json
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from services.payments.clients.signers import PAUSE_SECONDS
from services.payments.tests.conftest import MINOR, World
from services.payments.tests.recorded import VPA, RecordedSwitch, accepted
from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from suuupra.signatures import Signer, generate_key, public_jwks
from suuupra.testing.waiting import insisted

pytestmark = pytest.mark.integration


async def begun(world: World) -> tuple[UUID, str]:
    payment = await world.order()
    started = await world.learner.attempt(payment)
    return payment, started["attempt"]["reference"]


async def published(world: World, type_: str) -> list[dict[str, Any]]:
    async with world.database.reading() as tx:
        rows = await tx.execute(
            text("SELECT data::text FROM outbox WHERE type = :type ORDER BY position"), {"type": type_}
        )
        return [json.loads(row[0]) for row in rows]


async def test_we_take_part_with_our_keys_and_the_merchants_address(world: World) -> None:
    (registration,) = world.switch.heard("Registration")
    assert registration["kind"] == "psp"
    assert registration["url"] == "http://payments:8000"
    (address,) = registration["addresses"]
    assert (address["vpa"], address["account"]["bank"], address["mcc"]) == (VPA, "cedar", "8299")
    assert "d" not in registration["jwks"]["keys"][0], "only the public half leaves"


async def test_a_payment_is_authorised_confirmed_and_told_once(world: World) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    assert (await world.learner.payment(payment))["status"] == "processing"
    await world.deliver()
    (answer,) = world.switch.heard("RespAuthDetails")
    assert (answer["resp"]["result"], answer["resp"]["code"]) == ("SUCCESS", "00")
    assert answer["resp"]["req_msg_id"] == str(asked.head.msg_id)
    assert answer["payees"][0]["account"]["bank"] == "cedar"
    await world.switch.confirm(asked)
    await world.deliver()
    assert len(world.switch.heard("RespTxnConfirmation")) == 1
    assert (await world.learner.payment(payment))["status"] == "succeeded"
    (told,) = await published(world, "payment.succeeded")
    assert (told["amount_minor"], told["tax_minor"], told["rrn"]) == (MINOR, 7_612, "123456789012")
    assert (told["rail"], told["rail_reference"]) == ("upi", asked.txn.id)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"minor": MINOR + 1}, Code.MISMATCH),
        ({"minor": 1}, Code.MISMATCH),
        ({"reference": "P0000000000000000000"}, Code.AUTH_DECLINED),
        ({"vpa": "somebody@cedar"}, Code.VPA_UNKNOWN),
    ],
)
async def test_what_is_not_ours_or_not_right_is_declined(world: World, change: Any, code: Code) -> None:
    payment, reference = await begun(world)
    asked = world.switch.auth_details(**{"reference": reference, "minor": MINOR, **change})
    accepted(await world.switch.say(Api.REQ_AUTH_DETAILS, asked))
    await world.deliver()
    (answer,) = world.switch.heard("RespAuthDetails")
    assert (answer["resp"]["result"], answer["resp"]["code"]) == ("FAILURE", code)
    assert (await world.learner.payment(payment))["status"] == "requires_action"


async def test_an_expired_or_withdrawn_payment_is_declined(world: World) -> None:
    _, late = await begun(world)
    world.clock.advance(timedelta(minutes=5))
    await world.switch.authorise(late, MINOR)
    payment, withdrawn = await begun(world)
    await world.learner.post(f"/v1/payments/{payment}/cancel")
    await world.switch.authorise(withdrawn, MINOR)
    await world.deliver()
    codes = [answer["resp"]["code"] for answer in world.switch.heard("RespAuthDetails")]
    assert codes == [Code.EXPIRED, Code.AUTH_DECLINED]


async def test_a_wrong_pin_fails_the_attempt_and_another_may_follow(world: World) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    await world.switch.confirm(asked, "FAILURE", Code.WRONG_PIN)
    shown = await world.learner.payment(payment)
    assert shown["status"] == "requires_payment_method"
    assert (shown["attempts"][0]["code"], shown["attempts"][0]["reason"]) == ("ZM", "The PIN was wrong.")
    (told,) = await published(world, "payment.failed")
    assert (told["code"], told["attempt"]) == ("ZM", 1)
    await world.pay(payment)
    assert (await world.learner.payment(payment))["status"] == "succeeded"


async def test_a_link_that_failed_once_may_be_paid_again_while_it_is_good(world: World) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    await world.switch.confirm(asked, "FAILURE", Code.WRONG_PIN)
    again = await world.switch.authorise(reference, MINOR)
    shown = await world.learner.payment(payment)
    assert (shown["status"], [it["state"] for it in shown["attempts"]]) == (
        "processing",
        ["failed", "pending"],
    )
    await world.switch.confirm(asked, "FAILURE", Code.WRONG_PIN)
    await world.switch.confirm(again)
    shown = await world.learner.payment(payment)
    assert (shown["status"], [it["state"] for it in shown["attempts"]]) == (
        "succeeded",
        ["failed", "succeeded"],
    )
    late = await world.switch.authorise(reference, MINOR)
    await world.deliver()
    (code,) = [
        it["resp"]["code"] for it in world.switch.heard("RespAuthDetails") if it["txn"]["id"] == late.txn.id
    ]
    assert code == Code.AUTH_DECLINED


async def test_a_payer_who_declines_is_told_at_once_and_others_mistakes_are_not(world: World) -> None:
    payment, reference = await begun(world)
    other = world.switch.auth_details(reference, 1)
    await world.switch.confirm(other, "FAILURE", Code.MISMATCH)
    assert (await world.learner.payment(payment))["status"] == "requires_action"
    declined = world.switch.auth_details(reference, MINOR)
    await world.switch.confirm(declined, "FAILURE", Code.DECLINED)
    shown = await world.learner.payment(payment)
    assert (shown["attempts"][0]["state"], shown["attempts"][0]["code"]) == ("failed", "ZA")
    assert [it["code"] for it in await published(world, "payment.failed")] == ["ZA"]


async def test_somebody_else_who_declines_disturbs_no_payment_under_way(world: World) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    await world.switch.confirm(world.switch.auth_details(reference, MINOR), "FAILURE", Code.DECLINED)
    assert (await world.learner.payment(payment))["status"] == "processing"
    await world.switch.confirm(asked)
    assert (await world.learner.payment(payment))["status"] == "succeeded"


async def test_money_that_the_rail_moved_after_it_said_it_had_not_is_ours_and_can_go_back(
    world: World,
) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    await world.pass_time(seconds=30)
    await world.pass_time(seconds=60)
    (question,) = world.switch.heard("ReqChkTxn")
    await world.switch.confirm(asked, "FAILURE", Code.DEBIT_TIMEOUT)
    await world.switch.respond(question)
    assert (await world.learner.payment(payment))["status"] == "succeeded"
    assert (await world.finance.refund(payment)).status_code == 201
    await world.deliver()
    assert world.switch.heard("ReqPay")[0]["payees"][0]["vpa"] == asked.payer.vpa


async def test_a_payer_who_never_answers_lets_the_attempt_expire(world: World) -> None:
    payment, _ = await begun(world)
    await world.pass_time(minutes=5)
    shown = await world.learner.payment(payment)
    assert (shown["attempts"][0]["state"], shown["attempts"][0]["code"]) == ("expired", "U69")
    assert [it["code"] for it in await published(world, "payment.failed")] == ["U69"]


async def test_m10_silence_is_unresolved_and_found_out_by_asking(world: World) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    await world.pass_time(seconds=30)
    shown = await world.learner.payment(payment)
    assert (shown["status"], shown["attempts"][0]["state"]) == ("processing", "unresolved")
    assert world.switch.heard("ReqChkTxn") == []
    await world.pass_time(seconds=60)
    (question,) = world.switch.heard("ReqChkTxn")
    assert question["txn"]["org_txn_id"] == asked.txn.id
    await world.switch.respond(question, "PENDING", Code.DEEMED)
    assert (await world.learner.payment(payment))["attempts"][0]["state"] == "pending"
    await world.pass_time(seconds=90)
    await world.switch.respond(world.switch.heard("ReqChkTxn")[1])
    assert (await world.learner.payment(payment))["status"] == "succeeded"
    assert len(await published(world, "payment.succeeded")) == 1


async def test_m10_it_is_asked_three_times_at_most_and_never_failed_blindly(world: World) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    for _ in range(90):
        await world.pass_time(seconds=90)
    assert len(world.switch.heard("ReqChkTxn")) == 3
    assert (await world.learner.payment(payment))["status"] == "processing"
    await world.switch.confirm(asked)
    assert (await world.learner.payment(payment))["status"] == "succeeded"


async def test_m10_what_nobody_answers_is_seen_until_somebody_does(world: World) -> None:
    """An attempt and a refund: past the time for questions each is told, by a gauge that the alert looks at."""
    started = await world.learner.attempt(await world.order())
    attempt = await world.switch.authorise(started["attempt"]["reference"], MINOR)
    paid = await world.order()
    await world.pay(paid)
    assert (await world.finance.refund(paid)).status_code == 201
    await world.deliver()
    await world.pass_time(minutes=119)
    assert (unanswered("attempt"), unanswered("refund")) == (0, 0)
    await world.pass_time(minutes=11)
    assert (unanswered("attempt"), unanswered("refund")) == (600, 600)
    await world.switch.confirm(attempt, "FAILURE", Code.CREDIT_FAILED)
    await world.switch.respond(world.switch.heard("ReqPay")[0])
    await world.pass_time(minutes=1)
    assert (unanswered("attempt"), unanswered("refund")) == (0, 0)


def unanswered(of: str) -> float | None:
    return REGISTRY.get_sample_value("suuupra_payments_unanswered_seconds", {"of": of})


async def test_m10_deemed_waits_and_is_resolved_by_a_second_confirmation(world: World) -> None:
    for result, code, status in [
        ("SUCCESS", Code.SUCCESS, "succeeded"),
        ("FAILURE", Code.CREDIT_FAILED, "requires_payment_method"),
    ]:
        payment, reference = await begun(world)
        asked = await world.switch.authorise(reference, MINOR)
        await world.switch.confirm(asked, "DEEMED", Code.DEEMED)
        shown = await world.learner.payment(payment)
        assert shown["status"] == "processing"
        assert (shown["attempts"][0]["state"], shown["attempts"][0]["deemed"]) == ("pending", True)
        await world.switch.confirm(asked, result, code)  # type: ignore[arg-type]
        assert (await world.learner.payment(payment))["status"] == status


async def test_m5_twenty_confirmations_at_once_are_one_success(world: World, count: Any) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    told = [world.switch.confirmation(asked) for _ in range(5)] * 4
    sends = [partial(world.switch.say, Api.REQ_TXN_CONFIRMATION, it) for it in told]
    answers = await asyncio.gather(*(insisted(send) for send in sends))
    assert {answer.status_code for answer in answers} == {200}
    assert (await world.learner.payment(payment))["status"] == "succeeded"
    assert len(await published(world, "payment.succeeded")) == 1
    assert await count("payment_event", "type = 'attempt_succeeded'") == 1


async def test_m4_a_message_id_with_other_content_is_refused(world: World) -> None:
    _, reference = await begun(world)
    asked = world.switch.auth_details(reference, MINOR)
    accepted(await world.switch.say(Api.REQ_AUTH_DETAILS, asked))
    accepted(await world.switch.say(Api.REQ_AUTH_DETAILS, asked))
    forged = world.switch.auth_details(reference, 1).model_copy(update={"head": asked.head})
    answer = await world.switch.say(Api.REQ_AUTH_DETAILS, forged)
    assert (answer.status_code, answer.json()["code"]) == (409, Code.DUPLICATE)
    await world.deliver()
    assert len(world.switch.heard("RespAuthDetails")) == 1, "a message that comes again is answered once"


async def test_m4_a_transaction_id_of_another_payment_is_declined(world: World) -> None:
    _, first = await begun(world)
    _, second = await begun(world)
    asked = await world.switch.authorise(first, MINOR)
    again = world.switch.auth_details(second, MINOR, asked.txn.id)
    accepted(await world.switch.say(Api.REQ_AUTH_DETAILS, again))
    await world.deliver()
    codes = {it["txn"]["ref_id"]: it["resp"]["code"] for it in world.switch.heard("RespAuthDetails")}
    assert codes == {first: "00", second: Code.DUPLICATE}


async def test_a_forged_a_stale_and_an_altered_message_change_nothing(world: World, count: Any) -> None:
    payment, reference = await begun(world)
    asked = world.switch.auth_details(reference, MINOR)
    forger = RecordedSwitch(world.clock, Signer(generate_key(), upi.SWITCH), http=world.http)
    answers = [await forger.say(Api.REQ_AUTH_DETAILS, asked)]
    path, body = upi.path_of(Api.REQ_AUTH_DETAILS), asked.model_dump_json().encode()
    stale = world.switch.signer.sign("POST", path, body, world.clock.now() - timedelta(seconds=121))
    answers.append(await world.http.post(path, content=body, headers=stale))
    good = world.switch.signer.sign("POST", path, body, world.clock.now())
    answers.append(await world.http.post(path, content=body.replace(b"49900", b"49901"), headers=good))
    answers.append(await world.http.post(path, content=body))
    other_path = upi.path_of(Api.REQ_TXN_CONFIRMATION)
    answers.append(await world.http.post(other_path, content=body, headers=good))
    assert [answer.status_code for answer in answers] == [401] * 5
    assert await count("rail_received") == 0
    assert (await world.learner.payment(payment))["status"] == "requires_action"


async def test_a_malformed_message_is_named_field_by_field(world: World) -> None:
    _, reference = await begun(world)
    asked = world.switch.auth_details(reference, MINOR)
    body = asked.model_dump_json().replace('"minor":49900', '"minor":-1').encode()
    answer = await world.switch.say(Api.REQ_AUTH_DETAILS, asked, body=body)
    assert answer.status_code == 422
    assert "body.payer.amount" in {error["field"] for error in answer.json()["errors"]}


async def test_a_confirmation_of_something_unknown_is_refused_for_good(world: World) -> None:
    unknown = world.switch.confirmation(world.switch.auth_details("P0000000000000000000", MINOR))
    answer = await world.switch.say(Api.REQ_TXN_CONFIRMATION, unknown)
    assert (answer.status_code, answer.json()["code"]) == (409, Code.NOT_FOUND)


async def test_m4_a_refused_message_that_comes_again_is_refused_again(world: World) -> None:
    """Whoever lost the first acknowledgement is not told that it was taken."""
    unknown = world.switch.confirmation(world.switch.auth_details("P0000000000000000000", MINOR))
    answers = [await world.switch.say(Api.REQ_TXN_CONFIRMATION, unknown) for _ in range(3)]
    assert [answer.json()["code"] for answer in answers] == [Code.NOT_FOUND] * 3
    await world.deliver()
    assert world.switch.heard("RespTxnConfirmation") == []


async def test_an_amount_other_than_the_one_to_be_paid_is_a_contradiction(world: World) -> None:
    payment, reference = await begun(world)
    asked = await world.switch.authorise(reference, MINOR)
    other = world.switch.auth_details(reference, MINOR - 1, asked.txn.id)
    await world.switch.confirm(other)
    assert (await world.learner.payment(payment))["status"] == "processing"
    await world.switch.confirm(asked)
    assert (await world.learner.payment(payment))["status"] == "succeeded"


async def test_heartbeats_and_questions_about_our_address_are_answered(world: World) -> None:
    txn = upi.Txn(id=upi.new_txn_id("UPI"), type=upi.TxnType.HBT, ts=world.clock.now())
    accepted(await world.switch.say(Api.REQ_HBT, upi.ReqHbt(head=world.switch.head(), txn=txn)))
    for vpa in (VPA, "nobody@cedar"):
        about = upi.ReqValAdd(head=world.switch.head(), txn=txn, payee_vpa=vpa)
        accepted(await world.switch.say(Api.REQ_VAL_ADD, about))
    await world.deliver()
    assert len(world.switch.heard("RespHbt")) == 1
    codes = sorted(it["resp"]["code"] for it in world.switch.heard("RespValAdd"))
    assert codes == ["00", Code.VPA_UNKNOWN]


async def test_a_switch_that_is_away_is_told_when_it_is_back(world: World) -> None:
    payment, reference = await begun(world)
    world.switch.away = True
    await world.switch.authorise(reference, MINOR)
    await world.deliver()
    assert world.switch.heard("RespAuthDetails") == []
    world.switch.away = False
    await world.pass_time(seconds=1)
    assert len(world.switch.heard("RespAuthDetails")) == 1
    assert (await world.learner.payment(payment))["status"] == "processing"


async def test_an_answer_that_nobody_needs_any_more_is_put_aside(world: World, count: Any) -> None:
    _, reference = await begun(world)
    world.switch.away = True
    await world.switch.authorise(reference, MINOR)
    await world.deliver()
    world.switch.away = False
    world.clock.advance(timedelta(minutes=2))
    await world.deliver()
    assert world.switch.heard("RespAuthDetails") == []
    assert await count("rail_message", "state = 'useless'") == 1


async def test_a_new_key_of_the_switch_is_looked_up_where_it_publishes_them(world: World) -> None:
    _, reference = await begun(world)
    world.switch.signer = Signer(generate_key(), upi.SWITCH)
    refused = await world.switch.say(Api.REQ_AUTH_DETAILS, world.switch.auth_details(reference, MINOR))
    assert refused.status_code == 401
    world.switch.published = public_jwks([world.switch.signer.key])
    world.clock.advance(PAUSE_SECONDS)  # before it comes again, as a message that got no acknowledgement does
    await world.switch.authorise(reference, MINOR)


async def test_key_ids_that_are_made_up_do_not_become_requests_to_the_switch(world: World) -> None:
    _, reference = await begun(world)
    genuine = world.switch.signer
    asked = world.switch.looked_up
    for _ in range(20):
        world.switch.signer = Signer(generate_key(), upi.SWITCH)
        forged = world.switch.auth_details(reference, MINOR)
        assert (await world.switch.say(Api.REQ_AUTH_DETAILS, forged)).status_code == 401
    assert world.switch.looked_up == asked + 1
    world.switch.signer = genuine
    await world.switch.authorise(reference, MINOR)
