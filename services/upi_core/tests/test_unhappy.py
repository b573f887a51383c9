"""What goes wrong between banks: time-outs, deemed payments, reversals, late answers. NPCI's timers, a moved clock."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from services.upi_core.tests.mesh import Rule
from services.upi_core.tests.town import Town, With

pytestmark = pytest.mark.integration


def to(host: str, api: str, containing: str = "") -> Rule:
    def rule(request: httpx.Request) -> bool:
        fits = request.url.host == host and request.url.path.endswith(f"/{api}")
        return fits and containing.encode() in request.content

    return rule


async def deemed(town: Town) -> dict[str, Any]:
    """A payment whose credit nobody has answered: 15 s are over."""
    txn = await town.pay()
    assert txn["state"] == "debited"
    await town.later(16)
    story = await town.story(txn["id"])
    assert (story["state"], story["code"]) == ("deemed", "RB")
    return story


async def test_m10_a_credit_time_out_is_deemed_and_never_a_blind_failure(town: Town) -> None:
    town.mesh.lost.append(to("upi-core", "RespPay", '"type":"CREDIT"'))
    await deemed(town)
    assert town.merchant.results() == [("DEEMED", "RB")]
    assert await town.paid_by_meera() == 49_900


async def test_m10_the_first_check_comes_after_90_seconds_and_finds_the_credit(town: Town) -> None:
    town.mesh.lost.append(to("upi-core", "RespPay", '"type":"CREDIT"'))
    txn = await deemed(town)
    await town.later(88)
    assert town.mesh.count("ReqChkTxn") == 0
    await town.later(4)
    assert town.mesh.count("ReqChkTxn") == 1
    assert (await town.story(txn["id"]))["state"] == "success"
    assert town.merchant.results() == [("DEEMED", "RB"), ("SUCCESS", "00")]
    await town.assert_books()


async def test_m10_a_late_answer_resolves_a_deemed_payment_before_any_check(town_with: With) -> None:
    async with town_with(asha={"lateReplyShare": 1.0, "lateBy": "20s"}) as town:
        txn = await deemed(town)
        await town.later(10)
        assert (await town.story(txn["id"]))["state"] == "success"
        assert town.merchant.results() == [("DEEMED", "RB"), ("SUCCESS", "00")]
        await town.later(7300)
        assert town.mesh.count("ReqChkTxn") == 0
        await town.assert_books()


async def test_m10_at_most_three_checks_are_sent_and_people_decide_the_rest(town: Town) -> None:
    town.mesh.lost.append(to("upi-core", "RespPay", '"type":"CREDIT"'))
    town.mesh.lost.append(to("upi-core", "RespChkTxn"))
    txn = await deemed(town)
    await town.later(600)
    story = await town.story(txn["id"])
    assert [entry["note"] for entry in story["timeline"]].count("check sent") == 3
    assert story["state"] == "disputed"
    disputes = (await town.get("/internal/v1/disputes"))["items"]
    assert [(one["kind"], one["txn_id"]) for one in disputes] == [("unresolved", txn["id"])]
    assert town.merchant.results() == [("DEEMED", "RB")], "never blind failure"
    assert town.mesh.count("ReqPay", '"type":"REVERSAL"') == 0


async def unresolved(town: Town) -> dict[str, Any]:
    """A payment of which the payee's bank has said nothing, not even to three checks."""
    town.mesh.lost.append(to("upi-core", "RespChkTxn"))
    txn = await deemed(town)
    await town.later(600)
    story = await town.story(txn["id"])
    assert story["state"] == "disputed"
    return story


async def test_m10_a_credit_that_its_bank_refuses_after_all_checks_goes_back_by_itself(town: Town) -> None:
    town.mesh.lost.append(to("bank-asha", "ReqPay"))
    txn = await unresolved(town)
    assert await town.paid_by_meera() == 49_900
    town.mesh.lost.clear()
    town.banks["asha"].state.bank.profile.__dict__["failure_share"] = 1.0
    await town.later(700)
    assert (await town.story(txn["id"]))["state"] == "reversed"
    assert town.merchant.results() == [("DEEMED", "RB"), ("FAILURE", "U31")]
    assert (await town.get("/internal/v1/disputes?only_open=true"))["items"] == []
    assert (await town.paid_by_meera(), await town.got_by_merchant()) == (0, 0)
    await town.assert_books()


async def settle(town: Town, txn_id: str, outcome: str) -> httpx.Response:
    body = {"outcome": outcome, "reason": "by asha's statement"}
    answer = await town.http.post(f"/internal/v1/transactions/{txn_id}/settlement", json=body)
    await town.settle()
    return answer


@pytest.mark.parametrize(
    ("lost", "outcome", "state", "told"),
    [
        (("upi-core", "RespPay", '"type":"CREDIT"'), "credited", "success", ("SUCCESS", "00")),
        (("bank-asha", "ReqPay"), "refused", "reversed", ("FAILURE", "U31")),
    ],
)
async def test_m10_what_people_find_out_settles_a_dispute_once(
    town: Town, lost: tuple[str, ...], outcome: str, state: str, told: tuple[str, str]
) -> None:
    town.mesh.lost.append(to(*lost))
    txn = await unresolved(town)
    wrong = await settle(town, txn["id"], "returned")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (409, "body.outcome")
    for _ in range(2):
        assert (await settle(town, txn["id"], outcome)).status_code == 200
    story = await town.story(txn["id"])
    assert story["state"] == state
    assert [one["detail"]["reason"] for one in story["timeline"] if one["detail"].get("by") == "people"] == [
        "by asha's statement"
    ]
    assert town.merchant.results() == [("DEEMED", "RB"), told]
    assert (await town.get("/internal/v1/disputes?only_open=true"))["items"] == []
    assert await town.paid_by_meera() == await town.got_by_merchant()
    await town.assert_books()


async def test_a_settlement_of_what_is_not_there_or_not_disputed_is_refused(town: Town) -> None:
    assert (await settle(town, "UPI" + "0" * 32, "credited")).status_code == 404
    paid = await town.pay()
    refused = await settle(town, paid["id"], "refused")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:suuupra:problem:nothing-to-settle")


async def test_m10_a_credit_that_never_arrived_is_taken_back_after_the_last_check(town: Town) -> None:
    town.mesh.lost.append(to("bank-asha", "ReqPay"))
    txn = await deemed(town)
    await town.later(400)
    story = await town.story(txn["id"])
    assert story["state"] == "reversed"
    assert town.merchant.results() == [("DEEMED", "RB"), ("FAILURE", "U31")]
    assert await town.paid_by_meera() == 0
    await town.assert_books()


async def test_m10_a_late_success_after_the_reversal_is_a_dispute_and_no_second_credit(town: Town) -> None:
    """The credit arrives only after the payer has the money back: withdrawn too late, it was on its way."""
    held: list[httpx.Request] = []

    def hold(request: httpx.Request) -> bool:
        if not to("bank-asha", "ReqPay")(request) or len(held) > 50:
            return False
        held.append(request)
        return True

    town.mesh.lost.append(hold)
    txn = await deemed(town)
    await town.later(400)
    assert (await town.story(txn["id"]))["state"] == "reversed"
    town.mesh.lost.clear()
    arrived = await town.mesh.handle_async_request(held[0])
    assert arrived.status_code == 401, "a copy of an old message is refused by its age"
    await late_credit(town, held[0])
    story = await town.story(txn["id"])
    assert story["state"] == "disputed"
    disputes = (await town.get("/internal/v1/disputes?only_open=true"))["items"]
    assert [one["kind"] for one in disputes] == ["late_credit"]
    assert await town.got_by_merchant() == 49_900
    assert await town.paid_by_meera() == 0
    await town.assert_books(disputed=49_900)
    assert (await settle(town, txn["id"], "returned")).json()["state"] == "reversed"
    assert (await town.get("/internal/v1/disputes?only_open=true"))["items"] == []


async def late_credit(town: Town, request: httpx.Request) -> None:
    """The credit's message, at last, signed for now; twice, as networks do."""
    signer = await town.switch.state.rail.keyring.signer()
    for _ in range(2):
        headers = signer.sign("POST", request.url.path, request.content, town.clock.now())
        again = httpx.Request("POST", request.url, content=request.content, headers=headers)
        assert (await town.mesh.handle_async_request(again)).status_code == 202
        await town.settle()


async def test_m11_a_lost_reversal_answer_is_asked_for_with_the_same_id_and_applied_once(town: Town) -> None:
    town.banks["asha"].state.bank.profile.__dict__["failure_share"] = 1.0
    town.mesh.lost.append(to("upi-core", "RespPay", '"type":"REVERSAL"'))
    txn = await town.pay()
    assert txn["state"] == "reversal_pending"
    assert await town.paid_by_meera() == 0, "it was taken back; only the answer is lost"
    await town.later(25)
    sent = [one for one in town.mesh.sent if to("bank-banyan", "ReqPay", '"type":"REVERSAL"')(one)]
    assert len(sent) >= 2
    assert len({one.content for one in sent}) == 1, "the same message, its id included"
    town.mesh.lost.clear()
    await town.later(60)
    assert (await town.story(txn["id"]))["state"] == "reversed"
    assert await town.paid_by_meera() == 0
    assert town.merchant.results() == [("FAILURE", "U31")]
    await town.assert_books()


async def test_a_bank_that_refuses_the_credit_gets_the_payer_the_money_back(town_with: With) -> None:
    async with town_with(asha={"failureShare": 1.0}) as town:
        assert (await town.pay())["state"] == "reversed"
        assert await town.paid_by_meera() == 0
        await town.assert_books()


@pytest.mark.parametrize(
    ("status", "said", "state"), [(409, {"code": "00"}, "reversed"), (202, {"err": "00"}, "deemed")]
)
async def test_a_bank_that_refuses_a_credit_with_00_has_not_made_it(
    town: Town, status: int, said: dict[str, str], state: str
) -> None:
    bank = FastAPI()

    @bank.post("/internal/v1/upi/ReqPay")
    async def refuse() -> JSONResponse:
        return JSONResponse(said, status)

    town.mesh.add("bank-asha", bank)
    txn = await town.pay()
    await town.later(16)
    assert (await town.story(txn["id"]))["state"] == state
    assert ("SUCCESS", "00") not in town.merchant.results()


async def test_a_payers_bank_that_is_down_refuses_with_its_code(town_with: With) -> None:
    async with town_with(banyan={"failureShare": 1.0}) as town:
        assert (await town.pay())["code"] == "XY"


async def test_m10_a_debit_whose_answer_is_lost_is_completed_when_it_is_found(town: Town) -> None:
    town.mesh.lost.append(to("upi-core", "RespPay", '"type":"DEBIT"'))
    txn = await town.pay()
    await town.later(16)
    assert (await town.story(txn["id"]))["state"] == "debit_unknown"
    assert town.merchant.results() == [], "a time-out is no failure"
    await town.later(95)
    assert (await town.story(txn["id"]))["state"] == "success"
    assert await town.got_by_merchant() == 49_900
    await town.assert_books()


async def test_m10_a_debit_that_is_found_too_late_goes_back(town_with: With) -> None:
    async with town_with({"completeWithin": 60}) as town:
        town.mesh.lost.append(to("upi-core", "RespPay", '"type":"DEBIT"'))
        txn = await town.pay()
        await town.later(120)
        assert (await town.story(txn["id"]))["state"] == "reversed"
        assert town.merchant.results() == [("FAILURE", "U67")]
        assert await town.paid_by_meera() == 0
        await town.assert_books()


async def test_a_debit_that_never_arrived_is_taken_back_without_having_been(town: Town) -> None:
    town.mesh.lost.append(to("bank-banyan", "ReqPay", '"type":"DEBIT"'))
    txn = await town.pay()
    await town.later(400)
    assert (await town.story(txn["id"]))["state"] == "reversed"
    assert await town.paid_by_meera() == 0
    await town.assert_books()


async def test_a_message_without_acknowledgement_is_sent_again_and_done_once(town: Town) -> None:
    town.mesh.unanswered.append(to("bank-banyan", "ReqPay", '"type":"DEBIT"'))
    town.mesh.unanswered.append(to("bank-asha", "ReqPay", '"type":"CREDIT"'))
    await town.pay()
    await town.later(10)
    town.mesh.unanswered.clear()
    await town.later(10)
    assert (await town.tried("A1"))[0]["state"] == "success"
    assert await town.paid_by_meera() == 49_900 == await town.got_by_merchant()
    await town.assert_books()


async def test_a_merchant_that_was_away_is_told_when_it_is_back(town: Town) -> None:
    town.mesh.lost.append(to("payments", "ReqTxnConfirmation"))
    assert (await town.pay())["state"] == "success"
    await town.later(120)
    assert town.merchant.results() == []
    town.mesh.lost.clear()
    await town.later(61)
    assert town.merchant.results() == [("SUCCESS", "00")]


@pytest.mark.parametrize("seed", [1, 7, 42])
async def test_m1_whatever_banks_do_no_money_is_made_or_lost(town_with: With, seed: int) -> None:
    """Seeded trouble everywhere: in the end each payment succeeded, came back, or is with people; books balance."""
    trouble = {"timeoutShare": 0.2, "lateReplyShare": 0.2, "failureShare": 0.1, "lateBy": "20s", "seed": seed}
    async with town_with(asha=trouble, banyan=trouble) as town:
        for number in range(12):
            await town.approve(await town.open(town.merchant.link(1_000 + number, f"A{number}")))
        await town.settle()
        await town.later(700)
        ends = [(await town.tried(f"A{number}"))[0] for number in range(12)]
        assert {end["state"] for end in ends} <= {"success", "failed", "reversed", "disputed"}
        paid = sum(end["amount"]["minor"] for end in ends if end["state"] == "success")
        disputed = await in_dispute(town, ends)
        assert await town.got_by_merchant() == paid + sum(got for _, got in disputed)
        assert await town.paid_by_meera() == paid + sum(gave for gave, _ in disputed)
        await town.assert_books(disputed=sum(got - gave for gave, got in disputed))


async def in_dispute(town: Town, ends: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Of each disputed payment, what the payer gave and the merchant got, by their statements."""
    found = []
    for end in ends:
        if end["state"] == "disputed":
            gave = -await moved(town, "banyan", "BANYAN100001", end["id"])
            got = await moved(town, "asha", "SUUUPRA001", end["id"])
            found.append((gave, got))
    return found


async def moved(town: Town, bank: str, number: str, txn_id: str) -> int:
    statement = await town.bank(bank, f"accounts/{number}/statement")
    entries = [one for one in statement["entries"] if one["txn_id"] == txn_id]
    return sum(int(one["amount"]["minor"]) for one in entries)
