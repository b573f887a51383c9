"""Who takes part: joining, keys, addresses, health; and what strangers cannot do."""

import json
from typing import Any

import httpx
import pytest

from services.upi_core import contract as upi
from services.upi_core.contract import Api
from services.upi_core.tests.merchant import CODE, VPA
from services.upi_core.tests.town import PAYER, Town, With
from suuupra import signatures
from suuupra.signatures import Signer
from suuupra.testing.hostile import TEXTS
from suuupra.testing.issuer import Issuer

pytestmark = pytest.mark.integration
JOIN = "/internal/v1/participants"


def registration(key: Any, **changes: Any) -> dict[str, Any]:
    told = {"name": "Other", "kind": "psp", "url": "http://other", "jwks": signatures.public_jwks([key])}
    return told | changes


async def join(town: Town, code: str, key: Any, signer: Signer | None = None, **changes: Any) -> Any:
    body = json.dumps(registration(key, **changes))
    return await town.merchant.send("PUT", f"{JOIN}/{code}", body, signer or Signer(key, code))


async def test_a_newcomer_joins_with_the_key_that_it_brings(town: Town) -> None:
    key = signatures.generate_key()
    joined = await join(town, "other", key)
    assert joined.status_code == 200
    assert joined.json()["switch"] == "UPI"
    assert "d" not in joined.json()["switch_jwks"]["keys"][0]
    assert (await join(town, "other", key)).status_code == 200


async def test_nobody_takes_a_participants_place(town: Town) -> None:
    key = signatures.generate_key()
    assert (await join(town, CODE, key)).status_code == 401
    assert (await join(town, "asha", key)).status_code == 401
    assert (await join(town, "other", key, Signer(key, CODE))).status_code == 401
    assert (await town.pay())["state"] == "success"


async def test_a_participant_changes_its_key_by_signing_with_the_old_one(town: Town) -> None:
    old, new = signatures.generate_key(), signatures.generate_key()
    await join(town, "other", old)
    assert (await join(town, "other", new, Signer(old, "other"))).status_code == 200
    assert (await join(town, "other", old)).status_code == 401
    assert (await join(town, "other", new)).status_code == 200


@pytest.mark.parametrize("code", ["UPI", "PHONE"])
async def test_the_switchs_own_names_are_not_for_others(town: Town, code: str) -> None:
    assert (await join(town, code, signatures.generate_key())).status_code == 422


async def test_an_address_and_a_handle_belong_to_one_participant(town: Town) -> None:
    key = signatures.generate_key()
    account = {"bank": "cedar", "number": "CEDAR100001"}
    taken = await join(town, "other", key, addresses=[{"vpa": VPA, "name": "X", "account": account}])
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:suuupra:problem:address-taken")
    assert (await join(town, "other", key, handle="asha")).status_code == 409
    assert (await town.get(JOIN))["items"][-1]["code"] != "other", "nothing of it was kept"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "ftp://x"}, "body.url"),
        ({"kind": "bnk"}, "body.kind"),
        ({"jwks": {}}, "body.jwks"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "x"}]}}, "body.jwks"),
        ({"encryption": {"kty": "oct"}}, "body.encryption"),
        ({"unknown": 1}, "body.unknown"),
        ({"handle": "a b"}, "body.handle"),
    ],
)
async def test_a_registration_that_is_wrong_names_the_field(
    town: Town, changes: dict[str, Any], field: str
) -> None:
    refused = await join(town, "other", signatures.generate_key(), **changes)
    assert refused.status_code == 422
    assert field in [error["field"] for error in refused.json()["errors"]]


async def test_a_participant_that_left_is_nobodys_payee_and_may_come_back(town: Town) -> None:
    assert (await town.http.delete(f"{JOIN}/cedar")).status_code == 204
    amount = {"minor": 100, "currency": "INR"}
    message = upi.ReqPay.model_validate(
        {
            "head": town.merchant.head(),
            "txn": town.merchant.txn(upi.TxnType.PAY),
            "payer": {"vpa": PAYER, "amount": amount},
            "payees": [{"vpa": "kabir@cedar", "amount": amount}],
        }
    )
    await town.merchant.say(Api.REQ_PAY, message)
    await town.settle()
    assert town.merchant.told(upi.RespPay)[-1].resp.code.value == "U17"
    assert await town.banks["cedar"].state.membership.once()
    assert (await town.http.delete(f"{JOIN}/nobody")).status_code == 404


async def test_health_and_shares_are_told_for_each_participant(town_with: With) -> None:
    async with town_with({"heartbeatEvery": 30}, asha={"failureShare": 1.0}) as town:
        for number in range(4):
            await town.pay(f"A{number}", 100)
        await town.later(40)
        told = {one["code"]: one for one in (await town.get(JOIN))["items"]}
        assert told["asha"]["state"] == told["banyan"]["state"] == told[CODE]["state"] == "up"
        assert (told["asha"]["requests"], told["asha"]["success_share"]) == (4, 0.0)
        assert told["banyan"]["success_share"] == 1.0
        assert told["cedar"]["success_share"] is None
        town.mesh.away.add("bank-cedar")
        await town.later(120)
        told = {one["code"]: one for one in (await town.get(JOIN))["items"]}
        assert (told["cedar"]["state"], told["asha"]["state"]) == ("down", "up")


# Strangers


async def post(town: Town, api: str, body: bytes, headers: dict[str, str]) -> int:
    answer = await town.merchant.client.post(f"{upi.PATH}/{api}", content=body, headers=headers)
    return answer.status_code


async def test_messages_without_or_with_wrong_signatures_are_401_and_change_nothing(town: Town) -> None:
    paid = await town.pay()
    body = town.merchant.refund(paid["id"], PAYER, 100).model_dump_json(exclude_none=True).encode()
    path, now = upi.path_of(Api.REQ_PAY), town.clock.now()
    genuine = town.merchant.signer.sign("POST", path, body, now)
    stranger = Signer(signatures.generate_key(), CODE).sign("POST", path, body, now)
    assert await post(town, "ReqPay", body, {}) == 401
    assert await post(town, "ReqPay", body, stranger) == 401
    assert await post(town, "ReqPay", body.replace(b'"minor":100', b'"minor":900'), genuine) == 401
    assert await post(town, "ReqChkTxn", body, genuine) == 401
    town.clock.advance(121)
    assert await post(town, "ReqPay", body, genuine) == 401, "an old message is no message"
    await town.settle()
    assert (await town.story(paid["id"]))["refunds"] == []


async def test_a_message_in_anothers_name_is_403(town: Town) -> None:
    paid = await town.pay()
    message = town.merchant.refund(paid["id"], PAYER, 100)
    head = message.head.model_copy(update={"org_id": "asha"})
    body = message.model_copy(update={"head": head}).model_dump_json(exclude_none=True)
    assert (await town.merchant.send("POST", upi.path_of(Api.REQ_PAY), body)).status_code == 403


async def test_a_participant_cannot_answer_for_another(town: Town) -> None:
    """The merchant says that the payer's bank debited: it is refused, and nothing is credited."""
    town.merchant.auth = None
    txn = await town.pay()
    resp = upi.Resp.model_validate({"req_msg_id": txn_uuid(), "result": "SUCCESS", "code": "00"})
    answer = upi.RespPay(
        head=town.merchant.head(),
        txn=upi.Txn(id=txn["id"], type=upi.TxnType.DEBIT, ts=town.clock.now()),
        resp=resp,
    )
    assert (await town.merchant.refused(Api.RESP_PAY, answer))["code"] == upi.Code.NOT_FOUND
    assert (await town.story(txn["id"]))["state"] == "initiated"


def txn_uuid() -> str:
    return "0198c5a4-7d3e-7c1a-9c55-0242ac120002"


async def test_an_address_is_validated_with_a_masked_name(town: Town) -> None:
    for vpa in ("meera@banyan", VPA, "nobody@asha"):
        message = upi.ReqValAdd(
            head=town.merchant.head(), txn=town.merchant.txn(upi.TxnType.VAL_ADD), payee_vpa=vpa
        )
        await town.merchant.say(Api.REQ_VAL_ADD, message)
        await town.settle()
    told = [(one.resp.code.value, one.name) for one in town.merchant.told(upi.RespValAdd)]
    assert told == [("00", "M**** I***"), ("00", "Suuupra"), ("ZH", "")]


async def test_a_complaint_becomes_one_dispute_item_within_its_time(town: Town) -> None:
    paid = await town.pay()

    async def complain() -> Any:
        txn = town.merchant.txn(upi.TxnType.COMPLAINT, org_txn_id=paid["id"])
        message = upi.ReqComplaint(head=town.merchant.head(), txn=txn, reason="Not received")
        await town.merchant.say(Api.REQ_COMPLAINT, message)
        await town.settle()
        return town.merchant.told(upi.RespComplaint)[-1]

    first, second = await complain(), await complain()
    assert first.dispute == second.dispute
    items = (await town.get("/internal/v1/disputes"))["items"]
    assert [(one["kind"], one["reason"]) for one in items] == [("complaint:payments", "Not received")]
    town.clock.advance(46 * 24 * 3600)
    assert (await complain()).resp.code.value == "U48"


async def test_stories_are_for_staff_outside_the_cluster(town: Town, issuer: Issuer) -> None:
    paid = await town.pay()
    paths = [f"/v1/upi/transactions/{paid['id']}", "/v1/upi/transactions?ref_id=A1", "/v1/upi/disputes"]

    async def status(path: str, role: str) -> int:
        headers = {"Authorization": f"Bearer {issuer.mint(role, clock=town.clock)}"}
        return (await town.http.get(path, headers=headers)).status_code

    for path in paths:
        assert (await town.http.get(path)).status_code == 401
        assert await status(path, "learner") == 403
        assert await status(path, "support") == 200


@pytest.mark.parametrize("text", [*TEXTS, "1" * 36])
async def test_hostile_texts_in_addresses_are_no_fault_of_ours(town: Town, text: str) -> None:
    for path, params in (
        ("/internal/v1/transactions", {"ref_id": text}),
        ("/internal/v1/disputes", {"cursor": text}),
        ("/phone", {"link": text}),
        ("/phone", {"link": f"upi://pay?pa={text}&tn={text}"}),
    ):
        try:
            answer = await town.http.get(path, params=params)
        except (UnicodeEncodeError, ValueError, httpx.InvalidURL):
            continue  # no client can send it
        assert answer.status_code < 500, path
