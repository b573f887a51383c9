"""Payments on the real rail: the switch, two banks, and payments itself, each as a process of its own."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from services.payments.tests.bus import TOPICS, message, send
from services.payments.tests.conftest import MINOR, order_created
from services.payments.tests.people import Person, made, read
from services.payments.tests.process import Process, started
from suuupra.clock import FakeClock, SystemClock
from suuupra.migrations import Schema
from suuupra.testing.issuer import Issuer
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration
RULEBOOK = {"scale": 30, "payTimer": 60}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
PAYER, PIN = "meera@banyan", "1234"
_SCHEMAS: dict[str, Schema | None] = {}


@dataclass(slots=True)
class Town:
    """All processes, and who calls them."""

    switch: Process
    banks: Mapping[str, Process]
    payments: Process
    kafka: KafkaServer
    topics: Topics
    issuer: Issuer
    http: httpx.AsyncClient
    learner: Person
    finance: Person

    async def order(self) -> tuple[UUID, str]:
        """An order was created; its payment, once payments has it."""
        event = order_created(self.learner.id, FakeClock(SystemClock().now()))
        await send(self.kafka.bootstrap, [message(event, event.order_id, 1)])

        async def there() -> list[dict[str, Any]]:
            found = await self.learner.get("/v1/payments", params={"order_id": str(event.order_id)})
            items: list[dict[str, Any]] = read(found)["items"]
            return items

        (payment,) = await until(there, limit=60)
        return event.order_id, payment["id"]

    async def scan(self, link: str, payer: str = PAYER) -> str:
        """Open a link on the payer's phone; the address of the request."""
        form = {"link": link, "payer": payer}
        answer = await self.http.post(f"{self.switch.url}/phone/requests", data=form, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        return self.switch.url + answer.headers["location"]

    async def has_address(self, link: str) -> bool:
        """Whether the switch knows the payee of a link by now."""
        form = {"link": link, "payer": PAYER}
        answer = await self.http.post(f"{self.switch.url}/phone/requests", data=form, headers=SAME_ORIGIN)
        return answer.status_code == 303

    async def press(self, page: str, button: str, **form: str) -> httpx.Response:
        answer = await self.http.post(f"{page}/{button}", data=form, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        return answer

    async def becomes(self, payment: str, status: str, state: str | None = None) -> dict[str, Any]:
        """The payment, once it has that status and its last attempt that state."""

        async def so() -> dict[str, Any] | None:
            shown = await self.learner.payment(payment)
            last = shown["attempts"][-1]["state"] if shown["attempts"] else None
            return shown if shown["status"] == status and state in (None, last) else None

        found = await until(so, limit=60)
        assert found is not None
        return found

    async def bank(self, code: str, path: str) -> Any:
        return read(await self.http.get(f"{self.banks[code].url}/internal/v1/{path}"))


def rail_environment(postgres: PostgresServer, service: str, issuer: Issuer, **more: str) -> dict[str, str]:
    """What the operator would tell a member of the rail."""
    schema = _SCHEMAS.setdefault(service, Schema.of(service))
    return {
        "SUUUPRA_SERVICE": service,
        "SUUUPRA_DATABASE_URL": postgres.url(postgres.create(schema)),
        "SUUUPRA_DATABASE_POOL_SIZE": "8",
        "SUUUPRA_ISSUER": issuer.issuer,
        "SUUUPRA_AUDIENCE": issuer.audience,
        "SUUUPRA_JWKS": json.dumps(issuer.jwks()),
        **more,
    }


@pytest.fixture
def profiles() -> dict[str, dict[str, Any]]:
    """How the banks behave."""
    return {}


@pytest_asyncio.fixture
async def town(
    environment: dict[str, str],
    profiles: dict[str, dict[str, Any]],
    postgres: PostgresServer,
    kafka: KafkaServer,
    topics: Topics,
    issuer: Issuer,
) -> AsyncIterator[Town]:
    for topic in TOPICS:
        await topics.create(topic)
    told = {**environment, "SUUUPRA_KAFKA_BOOTSTRAP": kafka.bootstrap, "SUUUPRA_NAME": f"p-{uuid4().hex[:8]}"}
    with ExitStack() as stack:
        core = rail_environment(postgres, "upi-core", issuer, RAIL_RULEBOOK=json.dumps(RULEBOOK))
        switch = stack.enter_context(started("serve", core, service="upi-core"))
        banks = {}
        for code in ("asha", "banyan"):
            profile = {"code": code, "name": f"{code.title()} Bank", **profiles.get(code, {})}
            bank = rail_environment(
                postgres,
                "bank-simulator",
                issuer,
                SUUUPRA_NAME=f"bank-{code}",
                SUUUPRA_URL_UPI_CORE=switch.url,
                BANK_PROFILE=json.dumps(profile),
            )
            banks[code] = stack.enter_context(
                started("serve", bank, service="bank-simulator", own_url="SUUUPRA_SELF_URL")
            )
        payments = stack.enter_context(started("serve", told, own_url="SUUUPRA_OWN_URL"))
        worker = stack.enter_context(started("work", told))
        for process in (switch, *banks.values(), payments, worker):
            await process.ready()
        async with (
            httpx.AsyncClient(trust_env=False, timeout=20) as http,
            httpx.AsyncClient(base_url=payments.url, trust_env=False, timeout=20) as ours,
        ):
            learner = Person(ours, issuer, SystemClock())
            finance = Person(ours, issuer, SystemClock(), "payments:refund orders:read")
            made_ = Town(switch, banks, payments, kafka, topics, issuer, http, learner, finance)
            await _joined(made_)
            yield made_


async def told_of_the_rail(town: Town, settlement: str) -> None:
    """Payments is told who takes part, and at which bank its account is."""
    rail = {
        "kind": "upi",
        "url": town.switch.url,
        "participants": [{"code": code, "name": code.title()} for code in town.banks],
        "settlement": settlement,
        "rulebook": RULEBOOK,
    }
    read(await town.http.put(f"{town.payments.url}/internal/v1/rails/upi", json=rail))


async def _joined(town: Town) -> None:
    """Both banks and payments take part in the rail."""
    await told_of_the_rail(town, "asha")

    async def all_there() -> bool:
        found = read(await town.http.get(f"{town.switch.url}/internal/v1/participants"))["items"]
        shown = read(await town.http.get(f"{town.payments.url}/internal/v1/rails/upi"))
        return len(found) == 3 and shown["registered_at"] is not None

    await until(all_there, limit=60)


async def test_a_learner_pays_is_refunded_and_the_banks_statement_agrees(town: Town) -> None:
    order_id, payment = await town.order()
    shown = await town.learner.attempt(payment)
    page = await town.scan(shown["upi_uri"])
    await town.press(page, "approve", pin=PIN)
    await town.becomes(payment, "succeeded")
    (record,) = await town.topics.read("payment.succeeded", 1)
    told = json.loads(record.value)
    assert (told["order_id"], told["amount_minor"]) == (str(order_id), MINOR)
    statement = await town.bank("asha", "accounts/SUUUPRA001/statement")
    assert [(it["rrn"], it["txn_id"], it["amount"]["minor"]) for it in statement["entries"]] == [
        (told["rrn"], told["rail_reference"], MINOR)
    ]
    made(await town.finance.refund(payment, 10_000))
    (record,) = await town.topics.read("payment.refunded", 1)
    back = json.loads(record.value)
    statement = await town.bank("asha", "accounts/SUUUPRA001/statement")
    assert [it["amount"]["minor"] for it in statement["entries"]] == [MINOR, -10_000]
    assert statement["entries"][1]["rrn"] == back["rrn"]
    payer = await town.bank("banyan", "accounts/BANYAN100001/statement")
    assert sum(it["amount"]["minor"] for it in payer["entries"][-2:]) == 10_000 - MINOR
    for code in town.banks:
        books = await town.bank(code, "books")
        assert (books["difference"]["minor"], books["unfolded"]) == (0, [])


async def test_an_edit_of_the_settlement_bank_between_code_and_approval_and_before_a_refund_loses_nothing(
    town: Town,
) -> None:
    """What was paid or shown before is paid to the old account and comes back from it; what is new, the new one's."""
    (_, paid), (_, shown), (_, new) = [await town.order() for _ in range(3)]
    await town.press(await town.scan((await town.learner.attempt(paid))["upi_uri"]), "approve", pin=PIN)
    await town.becomes(paid, "succeeded")
    page = await town.scan((await town.learner.attempt(shown))["upi_uri"])
    await told_of_the_rail(town, "banyan")
    await town.press(page, "approve", pin=PIN)
    await town.becomes(shown, "succeeded")
    link = (await town.learner.attempt(new))["upi_uri"]
    assert "pa=suuupra@banyan&" in link
    await until(partial(town.has_address, link), limit=60)
    await town.press(await town.scan(link), "approve", pin=PIN)
    await town.becomes(new, "succeeded")
    for payment in (paid, shown, new):
        made(await town.finance.refund(payment))
    assert len(await town.topics.read("payment.refunded", 3)) == 3
    for code, moved in (("asha", [MINOR, MINOR, -MINOR, -MINOR]), ("banyan", [MINOR, -MINOR])):
        statement = await town.bank(code, "accounts/SUUUPRA001/statement")
        assert [it["amount"]["minor"] for it in statement["entries"]] == moved
        books = await town.bank(code, "books")
        assert (books["difference"]["minor"], books["unfolded"]) == (0, [])


async def test_wrong_pin_again_declined_and_paid_at_last(town: Town) -> None:
    _, payment = await town.order()
    shown = await town.learner.attempt(payment)
    page = await town.scan(shown["upi_uri"])
    await town.press(page, "approve", pin="9999")
    failed = await town.becomes(payment, "requires_payment_method", "failed")
    assert failed["attempts"][0]["code"] == "ZM"
    second = await town.learner.attempt(payment)
    await town.press(await town.scan(second["upi_uri"]), "decline")
    declined = await town.becomes(payment, "requires_payment_method", "failed")
    assert declined["attempts"][1]["code"] == "ZA"
    third = await town.learner.attempt(payment, "upi_intent")
    await town.press(await town.scan(third["upi_uri"], "noor@banyan"), "approve", pin="1357")
    poor = await town.becomes(payment, "requires_payment_method", "failed")
    assert poor["attempts"][2]["code"] == "Z9"
    fourth = await town.learner.attempt(payment)
    await town.press(await town.scan(fourth["upi_uri"]), "approve", pin=PIN)
    await town.becomes(payment, "succeeded")
    late = await town.scan(fourth["upi_uri"])
    await town.press(late, "approve", pin=PIN)
    assert len(await town.topics.read("payment.succeeded", 2, limit=3)) == 1


@pytest.mark.parametrize("profiles", [{"asha": {"lateReplyShare": 1, "lateBy": "6s"}}])
async def test_m10_a_bank_that_answers_late_is_deemed_then_resolved(town: Town) -> None:
    _, payment = await town.order()
    shown = await town.learner.attempt(payment)
    await town.press(await town.scan(shown["upi_uri"]), "approve", pin=PIN)
    await town.becomes(payment, "processing", "pending")
    await town.becomes(payment, "succeeded")
    story = read(await town.finance.get(f"/v1/payments/{payment}/timeline"))["items"]
    assert "outcome_pending" in [it["what"] for it in story]
    statement = await town.bank("asha", "accounts/SUUUPRA001/statement")
    assert [it["amount"]["minor"] for it in statement["entries"]] == [MINOR]
