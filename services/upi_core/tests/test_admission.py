"""When as many payments are under way as can end in time, the next is told to begin later, and nothing else happens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from services.upi_core import contract as upi
from services.upi_core.contract import Api
from services.upi_core.settings import Settings
from services.upi_core.store import requests
from services.upi_core.tests.merchant import CODE
from services.upi_core.tests.town import PAYER, PIN, POOR, SAME_ORIGIN, Town
from services.upi_core.usecases.ends import ASK_SECONDS, EndsElsewhere
from suuupra.db import ACQUIRE_LIMIT, Database, DatabaseBusy
from suuupra.messages import FIRST_PAUSE, PARALLEL
from suuupra.money import Money
from suuupra.testing.unchanged import unchanged
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration
PLACES: int = Settings.model_fields["payments_at_once"].default
SENTENCE = "Many are paying at this moment. Try again in a few seconds."


def database_of(town: Town) -> Database:
    found: Database = town.switch.state.resources.get(Database)
    return found


async def approval(town: Town, page: str, **headers: str) -> httpx.Response:
    return await town.http.post(f"{page}/approve", data={"pin": PIN}, headers={**SAME_ORIGIN, **headers})


async def fill(town: Town, places: int = PLACES) -> list[str]:
    """Take every place, with payments of which the merchant has not heard yet; their pages."""
    town.mesh.away.add(CODE)
    pages = [await town.open(town.merchant.link(100, f"F{number}")) for number in range(places)]
    for page in pages:
        await town.approve(page)
    await town.settle()
    return pages


async def drain(town: Town) -> None:
    """The merchant is back: what it did not acknowledge comes again, more than once where the machine is busy with
    sixteen at a time, and every payment ends."""
    town.mesh.away.discard(CODE)
    await town.later(5 * FIRST_PAUSE.total_seconds())
    assert {(await town.tried(f"F{number}"))[0]["code"] for number in range(PLACES)} == {"00"}


def assert_told_to_come_again(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert (answer.json()["type"], answer.json()["detail"]) == (
        "urn:suuupra:problem:many-are-paying",
        SENTENCE,
    )


@asynccontextmanager
async def all_connections_in_use(database: Database) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(database.pool_size):
            await stack.enter_async_context(database.transaction())
        yield


async def test_an_approval_beyond_what_can_end_in_time_is_told_to_come_again_and_taken_then(
    town: Town,
) -> None:
    waiting = await town.open(town.merchant.link(49_900, "A1"), POOR)
    await fill(town)
    async with unchanged(database_of(town)):
        assert_told_to_come_again(await approval(town, waiting))
    assert await town.tried("A1") == []
    await drain(town)
    await town.approve(waiting)
    await town.settle()
    assert [txn["ref_id"] for txn in await town.tried("A1")] == ["A1"]


async def test_who_is_told_to_come_again_waits_for_no_connection(town: Town) -> None:
    waiting = await town.open(town.merchant.link(49_900, "A1"))
    await fill(town)
    async with all_connections_in_use(database_of(town)):
        began = time.monotonic()
        assert_told_to_come_again(await approval(town, waiting))
        assert time.monotonic() - began < ACQUIRE_LIMIT.total_seconds() / 2


async def test_people_read_a_sentence_and_a_way_back_to_the_same_request(town: Town) -> None:
    waiting = await town.open(town.merchant.link(49_900, "A1"))
    await fill(town)
    where = {"Accept": "text/html", "Referer": f"http://upi-core{waiting}"}
    answer = await approval(town, waiting, **where)
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert SENTENCE in answer.text
    assert f'href="{waiting}"' in answer.text
    page = await town.http.get(waiting, headers={"Accept": "text/html"})
    assert f'action="{waiting}/approve"' in page.text, "it is still to be approved"


def payment(town: Town) -> upi.ReqPay:
    amount = Money(100, "INR")
    return upi.ReqPay(
        head=town.merchant.head(),
        txn=town.merchant.txn(upi.TxnType.PAY),
        payer=upi.Payer(vpa=PAYER, amount=amount),
        payees=[upi.Payee(vpa="kabir@cedar", amount=amount)],
    )


async def test_a_req_pay_beyond_is_told_to_come_again_and_the_same_is_taken_then(town: Town) -> None:
    body = payment(town).model_dump_json(exclude_none=True)
    await fill(town)
    async with unchanged(database_of(town)):
        assert_told_to_come_again(await town.merchant.send("POST", upi.path_of(Api.REQ_PAY), body))
    await drain(town)
    taken = await town.merchant.send("POST", upi.path_of(Api.REQ_PAY), body)
    assert (taken.status_code, taken.json().get("err")) == (202, None)


def turned_away() -> float:
    return REGISTRY.get_sample_value("suuupra_upi_turned_away_total") or 0.0


async def test_an_approval_that_finds_every_connection_in_use_is_told_to_come_again_and_taken_then(
    town: Town,
) -> None:
    waiting, before = await town.open(town.merchant.link(49_900, "A1")), turned_away()
    async with unchanged(database_of(town)), all_connections_in_use(database_of(town)):
        assert_told_to_come_again(await approval(town, waiting))
    assert turned_away() == before + 1
    await town.approve(waiting)
    await town.settle()
    assert [txn["code"] for txn in await town.tried("A1")] == ["00"]


async def test_a_req_pay_that_finds_every_connection_in_use_is_told_to_come_again_and_taken_then(
    town: Town,
) -> None:
    body = payment(town).model_dump_json(exclude_none=True)
    await town.pay("A2")  # who signs is known from then on
    async with unchanged(database_of(town)), all_connections_in_use(database_of(town)):
        assert_told_to_come_again(await town.merchant.send("POST", upi.path_of(Api.REQ_PAY), body))
    taken = await town.merchant.send("POST", upi.path_of(Api.REQ_PAY), body)
    assert (taken.status_code, taken.json().get("err")) == (202, None)


async def test_what_would_begin_nothing_hears_503_when_every_connection_is_in_use(town: Town) -> None:
    """A question, a refund, a no; and who asks again for the payment that moves."""
    paid, before = await town.pay("A2"), turned_away()
    (moving,) = await fill(town, 1)
    waiting = await town.open(town.merchant.link(49_900, "A1"), POOR)
    question = town.merchant.check(paid["id"]).model_dump_json(exclude_none=True)
    refund = town.merchant.refund(paid["id"], PAYER, 100).model_dump_json(exclude_none=True)
    async with all_connections_in_use(database_of(town)):
        answers = await asyncio.gather(
            town.merchant.send("POST", upi.path_of(Api.REQ_CHK_TXN), question),
            town.merchant.send("POST", upi.path_of(Api.REQ_PAY), refund),
            town.http.post(f"{waiting}/decline", headers=SAME_ORIGIN),
            approval(town, moving),
        )
    told = [(answer.status_code, answer.json()["type"].rpartition(":")[2]) for answer in answers]
    assert told == [(503, DatabaseBusy.slug)] * len(answers)
    assert turned_away() == before


async def test_who_presses_again_is_shown_the_payment_that_moves_also_when_it_took_the_last_place(
    town: Town,
) -> None:
    other = await town.open(town.merchant.link(49_900, "A1"))
    (*_, last) = await fill(town)
    assert_told_to_come_again(await approval(town, other))
    again = await approval(town, last)
    assert (again.status_code, again.headers["location"]) == (303, last)
    assert "Your bank is working on it." in (await town.http.get(last)).text
    await drain(town)
    assert await town.paid_by_meera() == 100 * PLACES


async def test_two_presses_at_once_share_the_last_place(town: Town) -> None:
    """Also while neither has committed; who asks for something else is told to come again."""
    database = database_of(town)
    last, other = [await town.open(town.merchant.link(100, ref)) for ref in (f"F{PLACES - 1}", "A1")]
    await fill(town, PLACES - 1)
    async with database.transaction() as tx:
        await requests.lock(tx, UUID(last.rpartition("/")[2]))
        presses = [asyncio.create_task(approval(town, last)) for _ in range(2)]
        await until(partial(all_wait, database, presses))
        assert_told_to_come_again(await approval(town, other))
    shown = [(answer.status_code, answer.headers["location"]) for answer in await asyncio.gather(*presses)]
    assert shown == [(303, last)] * 2
    assert_told_to_come_again(await approval(town, other))
    await drain(town)
    assert len(await town.tried(f"F{PLACES - 1}")) == 1


_WAITING = text("""
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
""")


async def all_wait(database: Database, presses: list[asyncio.Task[httpx.Response]]) -> bool:
    """Whether each waits for a row; one that was answered is looked at by the test."""
    async with database.reading() as tx:
        waiting = await tx.scalar(_WAITING)
    return waiting == len(presses) or any(press.done() for press in presses)


async def test_a_req_pay_that_is_sent_again_while_its_payment_has_the_last_place_is_taken(town: Town) -> None:
    body = payment(town).model_dump_json(exclude_none=True)
    await fill(town, PLACES - 1)
    for _ in range(2):
        taken = await town.merchant.send("POST", upi.path_of(Api.REQ_PAY), body)
        assert (taken.status_code, taken.json().get("err")) == (202, None)
    another = payment(town).model_dump_json(exclude_none=True)
    assert_told_to_come_again(await town.merchant.send("POST", upi.path_of(Api.REQ_PAY), another))


async def test_what_has_begun_goes_on_while_no_other_may_begin(town: Town) -> None:
    """Questions and refunds are taken; so is a no of the payer, which ends a request."""
    paid = await town.pay("A2")
    declined = await town.open(town.merchant.link(49_900, "A1"), POOR)
    await fill(town)
    (first, *_) = await town.tried("F0")
    await town.merchant.say(Api.REQ_CHK_TXN, town.merchant.check(first["id"]))
    answer = await town.http.post(f"{declined}/decline", headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert (await town.tried("A1"))[0]["code"] == "ZA"
    refund = town.merchant.refund(paid["id"], PAYER, 100)
    assert (await town.merchant.say(Api.REQ_PAY, refund)).err is None
    await drain(town)


async def test_what_ended_at_another_process_gives_its_place_back_within_a_second(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when banks have their connections to another pod of the switch, or to one of the release before."""
    waiting = await town.open(town.merchant.link(49_900, "A1"))
    await fill(town)
    admission = town.switch.state.rail.admission
    monkeypatch.setattr(type(admission), "ended", lambda *_: None)
    await drain(town)
    assert_told_to_come_again(await approval(town, waiting))
    assert await EndsElsewhere(database_of(town), admission, town.clock).look() == ASK_SECONDS
    assert admission.begun_before(0) == []
    await town.approve(waiting)


async def test_what_has_not_ended_anywhere_keeps_its_place(town: Town) -> None:
    await fill(town)
    town.clock.advance(ASK_SECONDS + 1)
    admission = town.switch.state.rail.admission
    await EndsElsewhere(database_of(town), admission, town.clock).look()
    assert len(admission.begun_before(0)) == PLACES


async def test_a_payment_whose_time_is_over_holds_no_place(town: Town) -> None:
    waiting = await town.open(town.merchant.link(49_900, "A1"), POOR)
    await fill(town)
    town.clock.advance(15)
    assert (await approval(town, waiting)).status_code == 303


async def test_payments_that_were_refused_at_once_hold_no_place(town: Town) -> None:
    over = upi.Rules(expires_at=town.clock.now())
    for _ in range(PLACES + 1):
        await town.merchant.say(Api.REQ_PAY, payment(town).model_copy(update={"rules": over}))
    assert {answer.resp.code for answer in await answers(town)} == {upi.Code.EXPIRED}


async def answers(town: Town) -> list[upi.RespPay]:
    await town.settle()
    return town.merchant.told(upi.RespPay)


async def test_a_courier_with_its_hands_full_lets_nobody_begin(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await town.open(town.merchant.link(49_900, "A1"))
    admission = town.switch.state.rail.admission
    monkeypatch.setattr(admission, "_letters", lambda: PARALLEL)
    assert_told_to_come_again(await approval(town, waiting))
    monkeypatch.setattr(admission, "_letters", lambda: PARALLEL - 1)
    await town.approve(waiting)


async def test_an_approval_that_fails_gives_its_place_back(town: Town) -> None:
    missing = "/phone/requests/0198c5a4-7d3e-7c1a-9c55-0242ac120002"
    for _ in range(PLACES + 1):
        assert (await approval(town, missing)).status_code == 404
