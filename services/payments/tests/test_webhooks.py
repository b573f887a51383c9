"""Webhooks (check M18): signed so that any Standard Webhooks library verifies them, tried for three days, logged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import time_machine
from sqlalchemy import text
from standardwebhooks.webhooks import WebhookVerificationError

from services.payments.clients.receivers import Receivers
from services.payments.domain.webhooks import PAUSES
from services.payments.tests.conftest import World
from services.payments.tests.people import fields, made, read
from services.payments.tests.receiver import Receiver, receiving

pytestmark = pytest.mark.integration
ENDPOINTS = "/v1/webhook-endpoints"
ALL = ["payment.succeeded", "payment.failed", "payment.refunded"]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as it:
        yield it


@dataclass(slots=True)
class Hooked:
    """An endpoint with what is known of it."""

    id: str
    secret: str
    etag: str


async def hooked(world: World, receiver: Receiver, events: list[str] | None = None) -> Hooked:
    answer = await world.integrator.post(ENDPOINTS, {"url": receiver.url, "events": events or ALL})
    body = made(answer)
    return Hooked(body["id"], body["secret"], answer.headers["etag"])


def at(world: World) -> Any:
    """The machine's time is the test's: the library asks it."""
    return time_machine.travel(world.clock.now(), tick=False)


async def the_delivery(world: World, endpoint: str) -> dict[str, Any]:
    (entry,) = read(await world.integrator.get(f"{ENDPOINTS}/{endpoint}/deliveries"))["items"]
    return read(await world.integrator.get(f"{ENDPOINTS}/{endpoint}/deliveries/{entry['id']}"))


async def test_m18_a_delivery_is_verified_by_the_receivers_library(world: World, receiver: Receiver) -> None:
    hook = await hooked(world, receiver)
    payment = await world.order()
    await world.pay(payment)
    assert await world.deliver_webhooks() == 1
    with at(world):
        said = receiver.verified(hook.secret)
    assert (said["type"], said["data"]["payment_id"]) == ("payment.succeeded", str(payment))
    assert said["data"]["amount_minor"] == 49_900
    shown = await the_delivery(world, hook.id)
    assert (shown["state"], [it["status"] for it in shown["tries"]]) == ("delivered", [204])


async def test_m18_a_bad_signature_is_refused(world: World, receiver: Receiver) -> None:
    hook = await hooked(world, receiver)
    await world.pay(await world.order())
    await world.deliver_webhooks()
    with at(world):
        receiver.verified(hook.secret)
        with pytest.raises(WebhookVerificationError):
            receiver.verified("whsec_" + "A" * 43 + "=")
        receiver.came[-1].body = receiver.came[-1].body.replace(b"49900", b"1")
        with pytest.raises(WebhookVerificationError):
            receiver.verified(hook.secret)


def after(world: World, minutes: int) -> Any:
    """The machine's time is the test's and some minutes."""
    return time_machine.travel(world.clock.now() + timedelta(minutes=minutes), tick=False)


async def test_m18_a_stale_time_and_one_made_fresh_are_refused(world: World, receiver: Receiver) -> None:
    hook = await hooked(world, receiver)
    await world.pay(await world.order())
    await world.deliver_webhooks()
    for minutes in (6, -6):
        with after(world, minutes), pytest.raises(WebhookVerificationError):
            receiver.verified(hook.secret)
    replayed = receiver.came[0]
    fresh = str(int(world.clock.now().timestamp()) + 360)
    replayed.headers = {**replayed.headers, "webhook-timestamp": fresh}
    with after(world, 6), pytest.raises(WebhookVerificationError):
        receiver.verified(hook.secret)


async def test_m18_a_replay_within_five_minutes_carries_the_id_of_its_delivery_and_no_other(
    world: World, receiver: Receiver
) -> None:
    """The library lets it pass. Its receiver knows it by the id, which is signed with the rest."""
    hook = await hooked(world, receiver)
    for _ in range(2):
        await world.pay(await world.order())
    await world.deliver_webhooks()
    first, second = receiver.came
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    with after(world, 4):
        receiver.verified(hook.secret, 0)
        first.headers = {**first.headers, "webhook-id": second.headers["webhook-id"]}
        with pytest.raises(WebhookVerificationError):
            receiver.verified(hook.secret, 0)


async def test_m18_a_failing_delivery_does_not_hold_up_the_next(world: World, receiver: Receiver) -> None:
    """To the same endpoint, of the same payment: the refund comes before the success, and each once."""
    hook, receiver.status = await hooked(world, receiver), 503
    payment = await world.order()
    await world.pay(payment)
    assert await world.deliver_webhooks() == 1
    receiver.status = 204
    made(await world.finance.refund(payment))
    await world.deliver()
    await world.switch.respond(world.switch.heard("ReqPay")[0])
    assert await world.deliver_webhooks() == 1
    world.clock.advance(PAUSES[0])
    assert await world.deliver_webhooks() == 1
    with at(world):
        came = [receiver.verified(hook.secret, number)["type"] for number in (1, 2)]
    assert came == ["payment.refunded", "payment.succeeded"]
    ids = [it.headers["webhook-id"] for it in receiver.came]
    assert (ids[0], len(set(ids))) == (ids[2], 2)
    log = read(await world.integrator.get(f"{ENDPOINTS}/{hook.id}/deliveries"))["items"]
    assert [it["state"] for it in log] == ["delivered"] * 2


async def test_m18_failures_are_tried_again_for_three_days_and_then_given_up(
    world: World, receiver: Receiver
) -> None:
    hook, receiver.status = await hooked(world, receiver), 503
    await world.pay(await world.order())
    assert await world.deliver_webhooks() == 1
    for pause in PAUSES:
        world.clock.advance(pause - timedelta(seconds=1))
        assert await world.deliver_webhooks() == 0
        world.clock.advance(timedelta(seconds=1))
        assert await world.deliver_webhooks() == 1
    shown = await the_delivery(world, hook.id)
    assert (shown["state"], shown["next_try_at"], len(shown["tries"])) == ("failed", None, len(PAUSES) + 1)
    assert {it.headers["webhook-id"] for it in receiver.came} == {shown["webhook_id"]}
    assert len({it.headers["webhook-timestamp"] for it in receiver.came}) == len(PAUSES) + 1
    world.clock.advance(timedelta(days=30))
    assert await world.deliver_webhooks() == 0


async def test_m18_a_redelivery_has_the_same_id_and_a_new_signature(world: World, receiver: Receiver) -> None:
    hook = await hooked(world, receiver)
    await world.pay(await world.order())
    await world.deliver_webhooks()
    before = await the_delivery(world, hook.id)
    world.clock.advance(timedelta(days=2))
    path = f"{ENDPOINTS}/{hook.id}/deliveries/{before['id']}/redeliver"
    answer = await world.integrator.post(path, key="again")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert (await world.integrator.post(path, key="again")).headers["idempotency-replayed"] == "true"
    assert (await world.integrator.post(path)).status_code == 409
    await world.deliver_webhooks()
    with at(world):
        receiver.verified(hook.secret)
    assert receiver.came[0].headers["webhook-id"] == receiver.came[1].headers["webhook-id"]
    assert len((await the_delivery(world, hook.id))["tries"]) == 2


async def test_m18_an_endpoint_gets_only_what_it_asked_for_and_each_endpoint_by_itself(
    world: World, receiver: Receiver
) -> None:
    hook = await hooked(world, receiver, ["payment.failed"])
    async with receiving() as other:
        second = await hooked(world, other)
        await world.pay(await world.order())
        await world.deliver_webhooks()
        assert receiver.came == []
        with at(world):
            other.verified(second.secret)
            with pytest.raises(WebhookVerificationError):
                other.verified(hook.secret)


async def test_a_secret_is_shown_once_kept_sealed_and_rolled_with_an_overlap(
    world: World, receiver: Receiver
) -> None:
    hook = await hooked(world, receiver)
    assert "secret" not in read(await world.integrator.get(f"{ENDPOINTS}/{hook.id}"))
    assert "secret" not in read(await world.integrator.get(ENDPOINTS))["items"][0]
    async with world.database.reading() as tx:
        kept = await tx.scalar(text("SELECT secrets::text FROM webhook_endpoint"))
        stored = await tx.scalar(text("SELECT count(*) FROM idempotency"))
    assert hook.secret not in kept
    assert hook.secret.removeprefix("whsec_")[:20] not in kept
    assert stored == 0
    rolled = await world.integrator.post(f"{ENDPOINTS}/{hook.id}/secret", match=hook.etag)
    new = read(rolled)["secret"]
    await world.pay(await world.order())
    await world.deliver_webhooks()
    with at(world):
        receiver.verified(new)
        receiver.verified(hook.secret)
    world.clock.advance(timedelta(hours=24))
    await world.pay(await world.order())
    await world.deliver_webhooks()
    with at(world):
        receiver.verified(new)
        with pytest.raises(WebhookVerificationError):
            receiver.verified(hook.secret)


async def test_an_endpoint_is_changed_by_who_has_seen_it_and_deleted_with_its_log(
    world: World, receiver: Receiver, count: Any
) -> None:
    hook = await hooked(world, receiver)
    path, to = f"{ENDPOINTS}/{hook.id}", {"url": receiver.url, "events": ["payment.failed"], "enabled": False}
    assert (await world.integrator.put(path, to, match='"7"')).status_code == 412
    changed = read(await world.integrator.put(path, to, match=hook.etag))
    assert (changed["enabled"], changed["events"], changed["version"]) == (False, ["payment.failed"], 2)
    again = await world.integrator.post(ENDPOINTS, {"url": receiver.url, "events": ALL})
    assert (again.status_code, fields(again)) == (409, ["body.url"])
    assert (await world.integrator.delete(path, match='"2"')).status_code == 204
    assert (await world.integrator.get(path)).status_code == 404
    assert await count("webhook_delivery") == 0


async def test_a_receiver_that_is_gone_is_sent_nothing_more(world: World, receiver: Receiver) -> None:
    hook, receiver.status = await hooked(world, receiver), 410
    await world.pay(await world.order())
    await world.pay(await world.order())
    await world.deliver_webhooks()
    shown = read(await world.integrator.get(f"{ENDPOINTS}/{hook.id}"))
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "the receiver answered 410 Gone")
    before = len(receiver.came)
    await world.pay(await world.order())
    world.clock.advance(timedelta(days=1))
    await world.deliver_webhooks()
    assert len(receiver.came) == before


async def test_a_redirection_is_not_followed(world: World, receiver: Receiver) -> None:
    hook, receiver.status = await hooked(world, receiver), 302
    await world.pay(await world.order())
    await world.deliver_webhooks()
    assert [it["status"] for it in (await the_delivery(world, hook.id))["tries"]] == [302]
    assert len(receiver.came) == 1


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://payments.suuupra.svc/"]
)
async def test_where_it_is_guarded_an_endpoint_must_be_public(
    world: World, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.app.state.settings = world.settings.model_copy(update={"profile": "production"})
    answer = await world.integrator.post(ENDPOINTS, {"url": url, "events": ALL})
    assert (answer.status_code, fields(answer)) == (422, ["body.url"])


async def test_a_name_that_turns_private_is_never_connected_to() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34", "169.254.169.254"]

    def connected(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"connected to {request.url}")

    receivers = Receivers(guarded=True, resolve=resolve, transport=httpx.MockTransport(connected))
    answer = await receivers.post("https://hooks.example.com/x", b"{}", {})
    await receivers.close()
    assert answer.status is None
    assert "public" in (answer.error or "")
    assert asked == ["hooks.example.com"]


async def test_a_public_name_is_connected_to_at_the_address_that_was_judged() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34"]

    seen: list[httpx.Request] = []

    def connected(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"x" * 100_000)

    receivers = Receivers(guarded=True, resolve=resolve, transport=httpx.MockTransport(connected))
    answer = await receivers.post("https://hooks.example.com/x?y=1", b"{}", {"webhook-id": "1"})
    await receivers.close()
    assert answer.status == 200
    (request,) = seen
    assert str(request.url) == "https://93.184.216.34/x?y=1"
    assert request.headers["host"] == "hooks.example.com"
    assert request.extensions["sni_hostname"] == "hooks.example.com"
