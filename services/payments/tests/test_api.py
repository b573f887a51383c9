"""The API as its callers meet it: who may see what, what is refused and why."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal
from uuid import uuid4

import httpx
import pytest

from services.payments.app import create_app
from services.payments.contract import RailRegistration, TimelineEntry
from services.payments.settings import Settings
from services.payments.tests.conftest import MINOR, World
from services.payments.tests.people import fields, read
from services.payments.tests.recorded import RAIL, RecordedSwitch
from services.payments.usecases.timeline import in_order
from services.upi_core.contract import UpiLink
from suuupra.clock import FakeClock
from suuupra.settings import example
from suuupra.testing.hostile import CURSORS, NUMBERS, TEXTS
from suuupra.testing.waiting import insisted

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Kind = Literal["event", "message_in", "message_out", "published", "webhook"]
ROUTES = [
    ("GET", "/v1/payments"),
    ("GET", f"/v1/payments/{uuid4()}"),
    ("GET", f"/v1/payments/{uuid4()}/attempts/1"),
    ("POST", f"/v1/payments/{uuid4()}/attempts"),
    ("POST", f"/v1/payments/{uuid4()}/cancel"),
    ("GET", f"/v1/payments/{uuid4()}/events"),
    ("GET", f"/v1/payments/{uuid4()}/timeline"),
    ("POST", f"/v1/payments/{uuid4()}/refunds"),
    ("GET", f"/v1/payments/{uuid4()}/refunds/{uuid4()}"),
    ("GET", "/v1/webhook-endpoints"),
    ("POST", "/v1/webhook-endpoints"),
    ("PUT", f"/v1/webhook-endpoints/{uuid4()}"),
    ("POST", f"/v1/webhook-endpoints/{uuid4()}/secret"),
    ("GET", f"/v1/webhook-endpoints/{uuid4()}/deliveries"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_anonymous_caller_gets_401(method: str, path: str) -> None:
    app = create_app(example(Settings, service="payments"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.request(method, path, json={}, headers={"Idempotency-Key": "1", "If-Match": "*"})
    assert answer.status_code == 401


@pytest.mark.integration
async def test_a_peers_payment_is_not_there(world: World) -> None:
    payment, peer = await world.order(), world.person()
    await world.learner.attempt(payment)
    answers = [
        await peer.get(f"/v1/payments/{payment}"),
        await peer.get(f"/v1/payments/{payment}/attempts/1"),
        await peer.get(f"/v1/payments/{payment}/events"),
        await peer.get(f"/v1/payments/{payment}/timeline"),
        await peer.post(f"/v1/payments/{payment}/attempts", {"method": "upi_qr"}),
        await peer.post(f"/v1/payments/{payment}/cancel"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert read(await peer.get("/v1/payments"))["items"] == []
    assert (await peer.get("/v1/payments", params={"order_id": str(world.orders[0].order_id)})).json()[
        "items"
    ] == []


@pytest.mark.integration
async def test_finance_sees_all_and_may_pay_for_nobody(world: World) -> None:
    payment = await world.order()
    assert (await world.finance.payment(payment))["id"] == str(payment)
    answer = await world.finance.post(f"/v1/payments/{payment}/attempts", {"method": "upi_qr"})
    assert answer.status_code == 404


@pytest.mark.integration
async def test_refunds_and_webhooks_need_their_scopes(world: World) -> None:
    payment = await world.order()
    assert (await world.learner.refund(payment)).status_code == 403
    assert (await world.finance.get("/v1/webhook-endpoints")).status_code == 403


@pytest.mark.integration
async def test_an_attempt_gives_a_signed_link_and_its_picture(world: World) -> None:
    payment = await world.order()
    started = await world.learner.attempt(payment)
    link = UpiLink.parse(started["upi_uri"])
    assert (link.pa, link.tr, link.mc, link.mode) == (
        "suuupra@cedar",
        started["attempt"]["reference"],
        "8299",
        "16",
    )
    assert link.am is not None
    assert link.am.minor == MINOR
    assert "am=499.00&cu=INR" in started["upi_uri"]
    assert link.sign
    assert started["qr_svg"].startswith("<svg")
    assert "<script" not in started["qr_svg"]
    assert started["attempt"]["state"] == "awaiting_payer"
    assert (await world.learner.payment(payment))["status"] == "requires_action"


@pytest.mark.integration
async def test_two_tabs_and_a_double_click_get_one_attempt(world: World) -> None:
    payment = await world.order()
    shown = [await world.learner.attempt(payment) for _ in range(3)]
    assert len({it["upi_uri"] for it in shown}) == 1
    other = await world.learner.attempt(payment, "upi_intent")
    assert other["attempt"]["number"] == 2
    states = [it["state"] for it in (await world.learner.payment(payment))["attempts"]]
    assert states == ["closed", "awaiting_payer"]


@pytest.mark.integration
async def test_m3_the_same_key_a_hundred_times_is_one_attempt(world: World, count: Any) -> None:
    payment = await world.order()

    send = partial(world.learner.post, f"/v1/payments/{payment}/attempts", {"method": "upi_qr"}, key="k")
    answers = await asyncio.gather(*(insisted(send) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await count("attempt") == 1
    other = await world.learner.post(f"/v1/payments/{payment}/attempts", {"method": "upi_intent"}, key="k")
    assert other.status_code == 422
    headers = {name: value for name, value in world.learner.headers().items() if name != "Idempotency-Key"}
    missing = await world.http.post(
        f"/v1/payments/{payment}/attempts", json={"method": "upi_qr"}, headers=headers
    )
    assert missing.status_code == 400


@pytest.mark.integration
async def test_cancelling_twice_is_cancelling_once_and_ends_the_payment(world: World) -> None:
    payment = await world.order()
    await world.learner.attempt(payment)
    for _ in range(2):
        answer = await world.learner.post(f"/v1/payments/{payment}/cancel")
        assert read(answer)["status"] == "canceled"
    refused = await world.learner.post(f"/v1/payments/{payment}/attempts", {"method": "upi_qr"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:suuupra:problem:payment-ended")


@pytest.mark.integration
async def test_while_money_may_move_nothing_is_begun_and_nothing_withdrawn(world: World) -> None:
    payment = await world.order()
    started = await world.learner.attempt(payment)
    await world.switch.authorise(started["attempt"]["reference"], MINOR)
    for path, body in [("attempts", {"method": "upi_intent"}), ("cancel", None)]:
        answer = await world.learner.post(f"/v1/payments/{payment}/{path}", body)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:suuupra:problem:attempt-in-flight")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"method": "card"}, "body.method"),
        ({}, "body.method"),
        ({"method": "upi_qr", "amount": 1}, "body.amount"),
    ],
)
async def test_a_wrong_attempt_names_the_field(world: World, body: dict[str, Any], field: str) -> None:
    payment = await world.order()
    answer = await world.learner.post(f"/v1/payments/{payment}/attempts", body)
    assert (answer.status_code, fields(answer)) == (422, [field])


@pytest.mark.integration
async def test_a_currency_that_no_rail_moves_is_named(world: World) -> None:
    payment = await world.order(currency="USD")
    answer = await world.learner.post(f"/v1/payments/{payment}/attempts", {"method": "upi_qr"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:suuupra:problem:currency-not-taken")


@pytest.mark.integration
async def test_pages_go_from_the_newest_to_the_oldest(world: World) -> None:
    made = []
    for _ in range(5):
        world.clock.advance(1)
        made.append(str(await world.order()))
    first = read(await world.learner.get("/v1/payments", params={"limit": 3}))
    second = read(await world.learner.get("/v1/payments", params={"limit": 3, "cursor": first["next"]}))
    assert [it["id"] for it in first["items"] + second["items"]] == made[::-1]
    order = str(world.orders[1].order_id)
    found = read(await world.learner.get("/v1/payments", params={"order_id": order}))
    assert [it["id"] for it in found["items"]] == [made[1]]


@pytest.mark.integration
async def test_hostile_values_are_refused_and_never_a_fault(world: World) -> None:
    payment = await world.order()
    await world.pay(payment)
    answers = [await world.learner.get("/v1/payments", params={"cursor": it}) for it in CURSORS]
    for number in NUMBERS:
        body = {"amount": {"minor": number, "currency": "INR"}}
        if number != MINOR:
            answers.append(await world.finance.post(f"/v1/payments/{payment}/refunds", body))
    for text in TEXTS:
        wanted = {"url": text, "events": ["payment.failed"], "description": text}
        answers.append(await world.integrator.post("/v1/webhook-endpoints", wanted))
        currency = {"amount": {"minor": 1, "currency": text}}
        answers.append(await world.finance.post(f"/v1/payments/{payment}/refunds", currency))
    assert {answer.status_code for answer in answers} <= {200, 409, 422}


@pytest.mark.integration
async def test_a_rail_that_is_told_again_changes_nothing_and_is_renewed_by_itself(world: World) -> None:
    assert [api for api, _ in world.switch.said] == ["Registration"]
    shown = read(await world.http.put("/internal/v1/rails/upi", json=RAIL))
    await world.deliver()
    assert [api for api, _ in world.switch.said] == ["Registration"]
    assert shown["payee_vpa"] == "suuupra@cedar"
    assert shown["registered_at"] is not None
    assert read(await world.http.get("/internal/v1/rails/upi")) == shown
    await world.pass_time(minutes=11)
    assert [api for api, _ in world.switch.said] == ["Registration"] * 2


@pytest.mark.integration
async def test_a_rail_that_changed_is_told_to_its_switch_and_one_that_went_takes_no_attempts(
    world: World,
) -> None:
    await world.http.put("/internal/v1/rails/upi", json={**RAIL, "settlement": "asha"})
    await world.deliver()
    addresses = [it["addresses"][0]["vpa"] for it in world.switch.heard("Registration")]
    assert addresses == ["suuupra@cedar", "suuupra@asha"]
    for _ in range(2):
        assert (await world.http.delete("/internal/v1/rails/upi")).status_code == 204
    assert (await world.http.get("/internal/v1/rails/upi")).status_code == 404
    payment = await world.order()
    answer = await world.learner.post(f"/v1/payments/{payment}/attempts", {"method": "upi_qr"})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:suuupra:problem:no-rail")


@pytest.mark.integration
async def test_a_switch_that_does_not_take_us_in_is_named_at_the_rail(world: World) -> None:
    world.switch.away = True
    await world.http.put("/internal/v1/rails/upi", json={**RAIL, "account": "OTHER1"})
    await world.deliver()
    assert "ConnectTimeout" in read(await world.http.get("/internal/v1/rails/upi"))["trouble"]
    world.switch.away = False
    await world.pass_time(seconds=1)
    assert read(await world.http.get("/internal/v1/rails/upi"))["trouble"] is None


def test_what_came_in_stands_before_what_was_said_of_it_at_the_same_time() -> None:
    kinds: list[Kind] = ["event", "message_out", "published", "message_in", "event"]
    entries = [TimelineEntry(at=NOON, kind=kind, what=str(place)) for place, kind in enumerate(kinds)]
    before = TimelineEntry(at=NOON - timedelta(microseconds=1), kind="message_out", what="before")
    assert [it.what for it in in_order([*entries, before])] == ["before", "3", "0", "4", "2", "1"]


@pytest.mark.integration
async def test_the_timeline_tells_the_whole_story_by_one_id(world: World) -> None:
    payment = await world.order()
    await world.pay(payment)
    own = read(await world.learner.get(f"/v1/payments/{payment}/timeline"))["items"]
    assert [it["what"] for it in own] == [
        "created",
        "method_chosen",
        "action_required",
        "authorisation_given",
        "attempt_succeeded",
    ]
    assert own[3]["details"]["payer"] == "as…@asha"
    whole = read(await world.finance.get(f"/v1/payments/{payment}/timeline"))["items"]
    told = {(it["kind"], it["what"]) for it in whole}
    assert told >= {
        ("message_in", "ReqAuthDetails"),
        ("message_out", "RespAuthDetails"),
        ("message_in", "ReqTxnConfirmation"),
        ("published", "payment.succeeded"),
    }
    said = ["ReqAuthDetails", "authorisation_given", "RespAuthDetails"]
    assert [it["what"] for it in whole if it["what"] in said] == said, (
        "the question, what came of it, the answer"
    )


@pytest.mark.integration
async def test_rails_of_the_environment_join_when_the_first_message_is_looked_for(
    settings: Settings, clock: FakeClock, switch: RecordedSwitch
) -> None:
    told = settings.model_copy(update={"rails": {"upi": RailRegistration.model_validate(RAIL)}})
    app = create_app(told, clock, switches=switch.transport())
    async with app.router.lifespan_context(app):
        while await app.state.rail_courier.deliver_due():
            pass
    assert [api for api, _ in switch.said] == ["Registration"]
