"""What is wrong, expired, foreign, replayed or forged: named by field, rule and cure, and nothing changes."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.payments.domain.events import CancelReason
from services.payments.tests.conftest import MINOR, World
from services.payments.tests.recorded import RecordedSwitch, accepted
from services.payments.usecases import orders
from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from suuupra.signatures import Signer, generate_key
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration


def named(answer: httpx.Response, status: int, slug: str, field: str) -> None:
    """A problem that says which field breaks which rule, and what to do."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body = answer.json()
    assert body["type"] == f"urn:suuupra:problem:{slug}"
    (fault,) = [error for error in body["errors"] if error["field"] == field]
    assert fault["rule"]
    assert fault["fix"]


@pytest.mark.parametrize(
    ("amount", "field"),
    [
        ({"minor": 100.5, "currency": "INR"}, "body.amount.minor"),
        ({"minor": "100.50", "currency": "INR"}, "body.amount.minor"),
        ({"minor": "499", "currency": "INR"}, "body.amount.minor"),
        ({"minor": 0, "currency": "INR"}, "body.amount.minor"),
        ({"minor": -1, "currency": "INR"}, "body.amount.minor"),
        ({"minor": 2**63, "currency": "INR"}, "body.amount.minor"),
        ({"minor": 10**40, "currency": "INR"}, "body.amount.minor"),
        ({"minor": True, "currency": "INR"}, "body.amount.minor"),
        ({"minor": 1, "currency": "USD"}, "body.amount.currency"),
        ({"minor": 1, "currency": "XXQ"}, "body.amount"),
        ({"minor": 1, "currency": "inr"}, "body.amount"),
        ({"minor": 1}, "body.amount.currency"),
        ({"minor": 1, "currency": "INR", "scale": 3}, "body.amount.scale"),
    ],
)
async def test_an_amount_that_cannot_be_is_named_and_changes_nothing(
    world: World, amount: dict[str, Any], field: str
) -> None:
    payment = await world.order()
    await world.pay(payment)
    async with unchanged(world.database):
        answer = await world.finance.post(f"/v1/payments/{payment}/refunds", {"amount": amount})
        named(answer, 422, "invalid", field)


Make = Callable[[World, UUID], Awaitable[None]]


async def _paid(world: World, payment: UUID) -> None:
    await world.pay(payment)


async def _expired(world: World, _payment: UUID) -> None:
    world.clock.advance(timedelta(minutes=15))


async def _withdrawn(world: World, _payment: UUID) -> None:
    async with world.database.transaction() as tx:
        await orders.end(world.change(tx), world.orders[-1].order_id, CancelReason.ORDER_CANCELED)


async def _in_flight(world: World, payment: UUID) -> None:
    started = await world.learner.attempt(payment)
    await world.switch.authorise(started["attempt"]["reference"], MINOR)
    await world.deliver()


@pytest.mark.parametrize(
    ("make", "slug"),
    [
        (_paid, "payment-ended"),
        (_expired, "payment-ended"),
        (_withdrawn, "payment-ended"),
        (_in_flight, "attempt-in-flight"),
    ],
)
async def test_an_intent_that_takes_no_attempt_says_why_and_stays(
    world: World, make: Make, slug: str
) -> None:
    payment = await world.order()
    await make(world, payment)
    async with unchanged(world.database):
        answer = await world.learner.post(f"/v1/payments/{payment}/attempts", {"method": "upi_intent"})
        named(answer, 409, slug, "path.payment_id")


async def test_an_intent_of_somebody_else_is_not_there_and_stays(world: World) -> None:
    payment, stranger = await world.order(), world.person()
    async with unchanged(world.database):
        for path, body in (("attempts", {"method": "upi_qr"}), ("cancel", None)):
            named(await stranger.post(f"/v1/payments/{payment}/{path}", body), 404, "not-found", "path")
        named(await stranger.get(f"/v1/payments/{payment}"), 404, "not-found", "path")
        named(await stranger.get(f"/v1/payments/{uuid4()}"), 404, "not-found", "path")


async def test_what_is_not_paid_is_not_refunded_and_says_so(world: World) -> None:
    payment = await world.order()
    async with unchanged(world.database):
        named(await world.finance.refund(payment, 1), 409, "not-refundable", "path.payment_id")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"minor":49900', '"minor":499.005', "body.payer.amount.minor"),
        ('"minor":49900', '"minor":-49900', "body.payer.amount"),
        ('"minor":49900', '"minor":99999999999999999999', "body.payer.amount.minor"),
        ('"currency":"INR"', '"currency":"XXQ"', "body.payer.amount"),
        ('"currency":"INR"', '"currency":"USD"', "body.payer.amount"),
        ('"vpa":"asha.rao@asha"', '"vpa":"no address"', "body.payer.vpa"),
        ('"vpa":"asha.rao@asha"', '"vpa":"@asha"', "body.payer.vpa"),
        ('"vpa":"asha.rao@asha"', '"vpa":"asha.rao"', "body.payer.vpa"),
    ],
)
async def test_a_signed_message_that_is_none_is_named_field_by_field_and_changes_nothing(
    world: World, old: str, new: str, field: str
) -> None:
    started = await world.learner.attempt(await world.order())
    asked = world.switch.auth_details(started["attempt"]["reference"], MINOR)
    body = asked.model_dump_json().replace(old, new).encode()
    async with unchanged(world.database):
        answer = await world.switch.say(Api.REQ_AUTH_DETAILS, asked, body=body)
        assert answer.status_code == 422, answer.text
        assert field in {error["field"] for error in answer.json()["errors"]}
        assert all(error["rule"] and error["fix"] for error in answer.json()["errors"])


async def test_a_message_that_is_forged_stale_altered_or_unsigned_is_401_and_changes_nothing(
    world: World,
) -> None:
    started = await world.learner.attempt(await world.order())
    asked = world.switch.auth_details(started["attempt"]["reference"], MINOR)
    path, body = upi.path_of(Api.REQ_AUTH_DETAILS), asked.model_dump_json().encode()
    forger = RecordedSwitch(world.clock, Signer(generate_key(), upi.SWITCH), http=world.http)
    stranger = Signer(generate_key(), "asha").sign("POST", path, body, world.clock.now())
    stale = world.switch.signer.sign("POST", path, body, world.clock.now() - timedelta(seconds=121))
    early = world.switch.signer.sign("POST", path, body, world.clock.now() + timedelta(seconds=121))
    good = world.switch.signer.sign("POST", path, body, world.clock.now())
    async with unchanged(world.database):
        answers = [
            await forger.say(Api.REQ_AUTH_DETAILS, asked),
            *[await world.http.post(path, content=body, headers=it) for it in (stranger, stale, early, {})],
            await world.http.post(path, content=body.replace(b"49900", b"1"), headers=good),
            await world.http.post(upi.path_of(Api.RESP_PAY), content=body, headers=good),
        ]
        for answer in answers:
            named(answer, 401, "bad-signature", "header.Message-Signature")


async def test_m4_a_message_that_is_replayed_changes_nothing_and_with_other_content_is_refused(
    world: World,
) -> None:
    started = await world.learner.attempt(await world.order())
    asked = await world.switch.authorise(started["attempt"]["reference"], MINOR)
    await world.deliver()
    other = asked.model_copy(update={"payer": asked.payer.model_copy(update={"vpa": "meera@banyan"})})
    async with unchanged(world.database):
        accepted(await world.switch.say(Api.REQ_AUTH_DETAILS, asked))
        answer = await world.switch.say(Api.REQ_AUTH_DETAILS, other)
        named(answer, 409, "message-refused", "body.head.msg_id")
        assert answer.json()["code"] == Code.DUPLICATE


async def test_an_intent_whose_link_has_expired_is_declined_on_the_rail_and_stays(world: World) -> None:
    payment = await world.order()
    started = await world.learner.attempt(payment)
    await world.pass_time(minutes=15)
    before = await world.learner.payment(payment)
    await world.switch.authorise(started["attempt"]["reference"], MINOR)
    await world.deliver()
    assert world.switch.heard("RespAuthDetails")[-1]["resp"]["code"] == Code.EXPIRED
    assert await world.learner.payment(payment) == before
