"""What was told of an order, as support sees it."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from services.notifications.tests.conftest import Deliver, Settle
from services.notifications.tests.happenings import Learner
from suuupra.clock import FakeClock

pytestmark = pytest.mark.integration

As = Callable[..., httpx.AsyncClient]


def path(learner: Learner) -> str:
    return f"/internal/v1/orders/{learner.order_id}/messages"


async def test_only_who_may_read_orders_sees_what_was_told_of_one(
    client: httpx.AsyncClient, client_as: As
) -> None:
    assert (await client.get(path(Learner()))).status_code == 401
    for role in ("learner", "creator"):
        assert (await client_as(role, str(uuid4())).get(path(Learner()))).status_code == 403
    for role in ("support", "finance", "operator"):
        assert (await client_as(role).get(path(Learner()))).json() == {"items": []}


async def test_inbox_and_mail_of_one_order_are_told_with_their_times_and_without_an_address(
    happen: Deliver, send_due: Settle, client_as: As, clock: FakeClock
) -> None:
    learner, peer = Learner(), Learner()
    await happen(learner.signed_up(), peer.signed_up(), peer.paid(), learner.paid(), learner.granted())
    clock.advance(3)
    await send_due()
    me = client_as("learner", str(learner.id))
    inbox = {it["kind"] for it in (await me.get("/v1/notifications")).json()["items"]}
    clock.advance(4)
    await happen(learner.refunded())
    answer = await client_as("support").get(path(learner))
    items = answer.json()["items"]
    assert [(it["channel"], it["kind"], it["state"]) for it in items] == [
        ("email", "entitlement_granted", "off"),
        ("email", "order_paid", "sent"),
        ("inbox", "entitlement_granted", "delivered"),
        ("inbox", "order_paid", "delivered"),
        ("email", "order_refunded", "due"),
        ("inbox", "order_refunded", "delivered"),
    ]
    assert (items[1]["sent_at"] > items[1]["created_at"], items[1]["attempts"]) == (True, 1)
    assert items[0]["sent_at"] is None
    assert learner.email not in answer.text
    assert inbox == {"welcome", "order_paid", "entitlement_granted"}


@pytest.mark.parametrize(("chosen", "state"), [(None, "off"), (False, "unwanted"), (True, "sent")])
async def test_mail_that_a_learner_chose_not_to_have_is_told_apart_from_what_is_off_by_itself(
    happen: Deliver, send_due: Settle, client_as: As, chosen: bool | None, state: str
) -> None:
    learner = Learner()
    await happen(learner.signed_up())
    if chosen is not None:
        change = {"choices": [{"category": "payments", "channel": "email", "wanted": chosen}]}
        me = client_as("learner", str(learner.id))
        sent = await me.patch("/v1/notification-preferences", json=change, headers={"If-Match": "*"})
        assert sent.is_success, sent.text
    await happen(learner.payment_failed())
    await send_due()
    told = (await client_as("support").get(path(learner))).json()["items"]
    assert [it["state"] for it in told if it["channel"] == "email"] == [state]


async def test_a_line_that_was_read_says_when(happen: Deliver, client_as: As, clock: FakeClock) -> None:
    learner = Learner()
    await happen(learner.payment_failed())
    me = client_as("learner", str(learner.id))
    (line,) = (await me.get("/v1/notifications")).json()["items"]
    clock.advance(60)
    await me.post(f"/v1/notifications/{line['id']}/read")
    told = (await client_as("finance").get(path(learner))).json()["items"]
    (inbox,) = [it for it in told if it["channel"] == "inbox"]
    assert (inbox["kind"], inbox["read_at"] > inbox["created_at"]) == ("payment_failed", True)
