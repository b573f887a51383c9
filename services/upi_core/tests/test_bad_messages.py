"""Messages and links that are wrong, foreign, forged, stale or replayed: refused by name, and no money moves."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from services.upi_core.tests.town import PAYER, SAME_ORIGIN, Town
from suuupra import signatures
from suuupra.db import Database
from suuupra.signatures import Signer
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration
PATH = upi.path_of(Api.REQ_PAY)


async def refund(town: Town) -> bytes:
    """A refund of ₹1 that would be carried out."""
    paid = await town.pay()
    return town.merchant.refund(paid["id"], PAYER, 100).model_dump_json(exclude_none=True).encode()


async def send(town: Town, body: bytes, headers: dict[str, str], path: str = PATH) -> httpx.Response:
    return await town.merchant.client.post(path, content=body, headers=headers)


def signed(town: Town, body: bytes, signer: Signer | None = None, *, ahead: float = 0) -> dict[str, str]:
    by = signer or town.merchant.signer
    return by.sign("POST", PATH, body, town.clock.now() + timedelta(seconds=ahead))


def of(town: Town) -> Database:
    database: Database = town.switch.state.resources.get(Database)
    return database


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b'"minor":100', b'"minor":1.005', "amount"),
        (b'"minor":100', b'"minor":"1.005"', "amount"),
        (b'"minor":100', b'"minor":-100', "amount"),
        (b'"minor":100', b'"minor":0', "amount"),
        (b'"minor":100', b'"minor":99999999999999999999', "amount"),
        (b'"currency":"INR"', b'"currency":"XXQ"', "amount"),
        (b'"currency":"INR"', b'"currency":"USD"', "amount"),
        (b'"vpa":"meera@banyan"', b'"vpa":"meera"', "vpa"),
        (b'"vpa":"meera@banyan"', b'"vpa":"@banyan"', "vpa"),
        (b'"vpa":"meera@banyan"', b'"vpa":"me era@banyan"', "vpa"),
        (b'"vpa":"meera@banyan"', b'"vpa":"<script>@x"', "vpa"),
    ],
)
async def test_a_signed_message_that_is_none_names_the_field_and_changes_nothing(
    town: Town, old: bytes, new: bytes, field: str
) -> None:
    body = (await refund(town)).replace(old, new)
    async with unchanged(of(town)):
        answer = await send(town, body, signed(town, body))
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        faults = answer.json()["errors"]
        assert any(field in fault["field"] for fault in faults), faults
        assert all(fault["rule"] and fault["fix"] for fault in faults)


@pytest.mark.parametrize(("result", "code"), [("FAILURE", "00"), ("SUCCESS", "Z9")])
async def test_an_outcome_that_says_both_ends_is_none_and_moves_no_money(
    town: Town, result: str, code: str
) -> None:
    town.mesh.lost.append(
        lambda request: request.url.path.endswith("/RespPay") and b"CREDIT" in request.content
    )
    await town.pay()
    town.mesh.lost.clear()
    said = next(
        one for one in town.mesh.sent if one.url.path.endswith("/ReqPay") and b"CREDIT" in one.content
    )
    asked = upi.ReqPay.model_validate_json(said.content)
    resp = upi.Resp(req_msg_id=asked.head.msg_id, result="DEEMED", code=Code.DEEMED)
    both = upi.RespPay(head=town.merchant.head(), txn=asked.txn, resp=resp).model_dump_json(exclude_none=True)
    both = both.replace('"DEEMED"', f'"{result}"').replace('"RB"', f'"{code}"')
    async with unchanged(of(town)):
        answer = await town.merchant.send("POST", upi.path_of(Api.RESP_PAY), both)
        assert answer.status_code == 422, answer.text
        (fault,) = answer.json()["errors"]
        assert (fault["field"], "must be 00 for SUCCESS" in fault["rule"]) == ("body.resp.code", True)
        assert fault["fix"]


@pytest.mark.parametrize("result", ["PENDING", "DEEMED"])
async def test_a_merchant_that_neither_takes_nor_refuses_a_payment_does_not_get_it(
    town: Town, result: upi.Result
) -> None:
    """Such an answer may say 00, which must not become the reason of a failure."""
    town.merchant.auth = None
    txn = await town.pay()
    resp = upi.Resp(req_msg_id=town.merchant.head().msg_id, result=result, code=Code.SUCCESS)
    about = upi.Txn(id=txn["id"], type=upi.TxnType.PAY, ts=town.clock.now())
    answer = upi.RespAuthDetails(head=town.merchant.head(), txn=about, resp=resp)
    assert (await town.merchant.say(Api.RESP_AUTH_DETAILS, answer)).err is None
    await town.settle()
    assert town.merchant.results() == [("FAILURE", Code.AUTH_DECLINED)]


async def test_a_message_that_is_forged_stale_altered_or_unsigned_is_401_and_changes_nothing(
    town: Town,
) -> None:
    body = await refund(town)
    good = signed(town, body)
    stranger = Signer(signatures.generate_key(), "payments")
    async with unchanged(of(town)):
        answers = [
            await send(town, body, {}),
            await send(town, body, signed(town, body, stranger)),
            await send(town, body, signed(town, body, ahead=-121)),
            await send(town, body, signed(town, body, ahead=121)),
            await send(town, body, {**good, signatures.TIME: "999999999999"}),
            await send(town, body.replace(b'"minor":100', b'"minor":900'), good),
            await send(town, body, good, upi.path_of(Api.REQ_CHK_TXN)),
        ]
        for answer in answers:
            assert answer.status_code == 401
            (fault,) = answer.json()["errors"]
            assert fault["field"] == "header.Message-Signature"
            assert fault["rule"]
            assert fault["fix"]


async def test_m4_a_replayed_message_moves_no_money_and_with_other_content_is_refused(town: Town) -> None:
    body = await refund(town)
    assert (await send(town, body, signed(town, body))).json()["err"] is None
    await town.settle()
    other = body.replace(b'"minor":100', b'"minor":900')
    async with unchanged(of(town)):
        again = await send(town, body, signed(town, body))
        refused = await send(town, other, signed(town, other))
        await town.settle()
    assert again.json()["err"] is None
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    problem = refused.json()
    assert (problem["type"], problem["code"]) == ("urn:suuupra:problem:message-refused", Code.DUPLICATE)
    (fault,) = problem["errors"]
    assert fault["field"] == "body.head.msg_id"
    assert fault["rule"]
    assert fault["fix"]


LINKS: list[tuple[str, str]] = [
    ("upi://pay?pa=suuupra@asha&am=1.234", "must be an amount in rupees"),
    ("upi://pay?pa=suuupra@asha&am=-1.00", "must be more than nothing"),
    ("upi://pay?pa=suuupra@asha&am=0", "must be more than nothing"),
    ("upi://pay?pa=suuupra@asha&am=99999999999999999999", "must be an amount in rupees"),
    ("upi://pay?pa=suuupra@asha&am=1.00&cu=USD", "must be INR"),
    ("upi://pay?pa=suuupra@asha&am=1.00&am=2.00", "must be there once"),
    ("upi://pay?pa=suuupra&am=1.00", "must be a payment address"),
    ("upi://pay?pa=nobody@nowhere&am=1.00", "must be an address that somebody has"),
    ("upi://pay?pa=suuupra@asha&am=1.00&sign=forged", "must be the payee's own signature"),
]


@pytest.mark.parametrize(("link", "sentence"), LINKS)
async def test_a_link_that_cannot_be_paid_is_a_sentence_and_asks_for_no_payment(
    town: Town, link: str, sentence: str
) -> None:
    form: dict[str, Any] = {"link": link, "payer": PAYER}
    async with unchanged(of(town)):
        answer = await town.http.post("/phone/requests", data=form, headers=SAME_ORIGIN)
        assert answer.status_code == 422
        assert sentence in answer.text.replace("&#39;", "'")
        assert "To mend it" in answer.text
