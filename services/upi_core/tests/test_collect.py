"""Collect requests: closed by the rulebook since October 2025; where a rail opens them, they wait on the phone."""

from datetime import timedelta

import pytest

from services.upi_core import contract as upi
from services.upi_core.contract import Api
from services.upi_core.tests.merchant import VPA
from services.upi_core.tests.town import PAYER, SAME_ORIGIN, Town, With
from suuupra.money import Money

pytestmark = pytest.mark.integration
OPEN = {"collectUntil": None}


def collect(town: Town, minutes: int | None = 5) -> upi.ReqPay:
    amount = Money(10_000, "INR")
    until = town.clock.now() + timedelta(minutes=minutes) if minutes else None
    return upi.ReqPay(
        head=town.merchant.head(),
        txn=town.merchant.txn(upi.TxnType.COLLECT, ref_id="C1", note="Dues"),
        payer=upi.Payer(vpa=PAYER, amount=amount),
        payees=[upi.Payee(vpa=VPA, amount=amount)],
        rules=upi.Rules(expires_at=until),
    )


async def asked(town: Town, minutes: int | None = 5) -> tuple[upi.ReqPay, str]:
    """A collect request, and its page on the payer's phone."""
    message = collect(town, minutes)
    assert (await town.merchant.say(Api.REQ_PAY, message)).err is None
    await town.settle()
    page = await town.http.get(f"/phone/accounts/{PAYER}")
    assert "To approve" in page.text
    return message, page.text.partition('href="/phone/requests/')[2].partition('"')[0]


def answers(town: Town) -> list[tuple[str, str]]:
    return [(one.resp.result, one.resp.code.value) for one in town.merchant.told(upi.RespPay)]


async def test_collect_is_refused_by_npcis_own_rulebook(town: Town) -> None:
    await town.merchant.say(Api.REQ_PAY, collect(town))
    await town.settle()
    assert answers(town) == [("FAILURE", "U19")]


async def test_an_approved_collect_request_is_paid_once(town_with: With) -> None:
    async with town_with(OPEN) as town:
        _, page = await asked(town)
        for _ in range(2):
            await town.approve(f"/phone/requests/{page}")
        await town.settle()
        assert answers(town) == [("SUCCESS", "00")]
        assert await town.paid_by_meera() == 10_000
        await town.later(3600)
        assert answers(town) == [("SUCCESS", "00")], "its expiry comes to nothing"
        await town.assert_books()


async def test_a_declined_collect_request_is_za(town_with: With) -> None:
    async with town_with(OPEN) as town:
        _, page = await asked(town)
        await town.http.post(f"/phone/requests/{page}/decline", headers=SAME_ORIGIN)
        await town.settle()
        assert answers(town) == [("FAILURE", "ZA")]


async def test_m19_u69_a_collect_request_expires_by_the_switchs_clock(town_with: With) -> None:
    async with town_with(OPEN) as town:
        message, page = await asked(town)
        await town.later(299)
        assert answers(town) == []
        await town.later(2)
        assert answers(town) == [("FAILURE", "U69")]
        assert (await town.story(message.txn.id))["state"] == "expired"
        await town.approve(f"/phone/requests/{page}")
        await town.settle()
        assert await town.paid_by_meera() == 0


async def test_a_collect_requests_limits_count_from_its_approval(town_with: With) -> None:
    """Approved in its last second, and the debit's answer lost: asked about and completed, as any payment is."""
    async with town_with({**OPEN, "checkWithin": 240, "collectMinutes": 30}) as town:
        town.mesh.lost.append(
            lambda request: request.url.path.endswith("/RespPay") and b'"type":"DEBIT"' in request.content
        )
        message, page = await asked(town, minutes=None)
        await town.later(30 * 60 - 1)
        await town.approve(f"/phone/requests/{page}")
        await town.later(120)
        assert town.mesh.count("ReqChkTxn") == 1
        assert (await town.story(message.txn.id))["state"] == "success"
        assert answers(town) == [("SUCCESS", "00")]
        assert await town.paid_by_meera() == 10_000
        await town.assert_books()


async def test_a_collect_requests_time_is_divided_by_the_scale(town_with: With) -> None:
    async with town_with({**OPEN, "scale": 30}) as town:
        await asked(town, minutes=None)
        await town.later(59)
        assert answers(town) == []
        await town.later(2)
        assert answers(town) == [("FAILURE", "U69")]
