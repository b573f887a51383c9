"""M9: processes are killed (SIGKILL) between debit and credit, and recovery completes or reverses, once.

Real processes, real HTTP, real PostgreSQL. Timers are scaled 1:10, so a step's time-out is 1.5 s and a check is sent
after 9 s.
"""

import pytest

from services.upi_core.tests.processes import Process, Rail, running
from services.upi_core.tests.town import NewDatabase
from suuupra.testing.issuer import Issuer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

SCALE = 10

SWITCH_POINTS = [
    "switch.RespAuthDetails-PAY.handled",
    "switch.RespAuthDetails-PAY.committed",
    "switch.RespPay-DEBIT.handled",
    "switch.RespPay-DEBIT.committed",
    "courier.sending.ReqPay:2",
    "courier.sent.ReqPay:2",
    "switch.RespPay-CREDIT.handled",
    "switch.RespPay-CREDIT.committed",
]
"""The debit is known but not written, written but not told, told but not noted …: the second ReqPay is the credit."""


BANK_POINTS = [
    ("banyan", "bank.DEBIT.booked"),
    ("banyan", "bank.DEBIT.committed"),
    ("banyan", "courier.sending.RespPay"),
    ("banyan", "courier.sent.RespPay"),
    ("asha", "bank.CREDIT.booked"),
    ("asha", "bank.CREDIT.committed"),
    ("asha", "courier.sending.RespPay"),
]


async def started(rail: Rail) -> None:
    for process in rail.processes:
        process.start()
    await rail.joined()


async def killed_at(process: Process, point: str, rail: Rail, ref: str) -> None:
    """Pay while `process` is armed; it dies there and is started again."""
    process.kill()
    process.start(point)
    await process.ready()
    await rail.approve(ref)
    assert await process.killed_itself(), f"{point} was never reached"
    process.start()
    await process.ready()


async def moved(rail: Rail) -> tuple[int, int]:
    """Paise that the payer gave and the merchant got, ever."""
    gave = 250_000_00 - await rail.balance("banyan", "BANYAN100001")
    return gave, await rail.balance("asha", "SUUUPRA001")


async def assert_books(rail: Rail) -> None:
    """M1: in each bank and between them."""
    books = [await rail.books(code) for code in rail.banks]
    assert [(one["difference"]["minor"], one["unfolded"]) for one in books] == [(0, []), (0, [])]
    assert sum(one["settlement"]["minor"] for one in books) == 0


async def assert_once_or_not_at_all(rail: Rail, ref: str, before: tuple[int, int], point: str) -> None:
    end = await rail.ended(ref)
    gave, got = await moved(rail)
    effect = (end["state"], gave - before[0], got - before[1])
    assert effect in [("success", 49_900, 49_900), ("reversed", 0, 0), ("failed", 0, 0)], point
    await assert_books(rail)


async def test_m9_a_switch_killed_between_debit_and_credit_completes_or_reverses_once(
    new_database: NewDatabase, issuer: Issuer
) -> None:
    async with running(new_database, issuer, scale=SCALE, heartbeatEvery=20) as rail:
        await started(rail)
        for number, point in enumerate(SWITCH_POINTS):
            before = await moved(rail)
            await killed_at(rail.switch, point, rail, f"A{number}")
            await assert_once_or_not_at_all(rail, f"A{number}", before, point)


async def test_m9_a_bank_killed_in_the_middle_of_its_leg_does_it_once(
    new_database: NewDatabase, issuer: Issuer
) -> None:
    async with running(new_database, issuer, scale=SCALE, heartbeatEvery=20) as rail:
        await started(rail)
        for number, (bank, point) in enumerate(BANK_POINTS):
            before = await moved(rail)
            await killed_at(rail.banks[bank], point, rail, f"A{number}")
            await assert_once_or_not_at_all(rail, f"A{number}", before, f"{bank} {point}")


async def test_m11_a_bank_killed_after_a_reversal_and_before_its_answer_reverses_once(
    new_database: NewDatabase, issuer: Issuer
) -> None:
    async with running(new_database, issuer, scale=SCALE, heartbeatEvery=20) as rail:
        rail.switch.start()
        rail.banks["asha"].start(BANK_PROFILE='{"code":"asha","name":"Asha Bank","failureShare":1.0}')
        rail.banks["banyan"].start()
        await rail.joined()
        await killed_at(rail.banks["banyan"], "bank.REVERSAL.committed", rail, "A1")
        assert (await rail.ended("A1"))["state"] == "reversed"
        assert await moved(rail) == (0, 0)
        await assert_books(rail)
