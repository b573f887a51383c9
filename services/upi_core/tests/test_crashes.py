"""M9: processes are killed (SIGKILL) between debit and credit and on the way back; recovery completes or reverses, once.

Real processes, real HTTP, real PostgreSQL. Timers are scaled 1:10: a check is sent after 9 s. A step has 5 s, which a
busy machine keeps to, and a debit may be completed for as long as any needs to start a process again: while the banks
are well there is one right end for whatever was debited.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pytest

from services.upi_core.tests.processes import Process, Rail, running
from services.upi_core.tests.town import NewDatabase
from suuupra.testing.issuer import Issuer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

RULES: Final[dict[str, Any]] = {"scale": 10, "payTimer": 50, "heartbeatEvery": 20, "completeWithin": 6000}
PRICE: Final = 49_900
PAYER: Final = ("banyan", "BANYAN100001")
PAYEE: Final = ("asha", "SUUUPRA001")


class End(NamedTuple):
    """How a transaction ended, and what both statements have of it, in paise and in order."""

    state: str
    payer: tuple[int, ...] = ()
    payee: tuple[int, ...] = ()


PAID = End("success", (-PRICE,), (PRICE,))
BACK = End("reversed", (-PRICE, PRICE))
NEVER = End("reversed")
"""A debit that was asked for and that nobody knows of was taken back before it was done."""
UNASKED = End("failed")
"""Nobody was asked for money."""


class Point(NamedTuple):
    """Who is killed, where, and the ends that are right then."""

    who: str
    at: str
    right: frozenset[End] = frozenset({PAID})


SWITCH = [
    # The merchant does not say twice that it takes the payment.
    Point("switch", "switch.RespAuthDetails-PAY.handled", frozenset({UNASKED})),
    # The debit is sent again within its time, and when that is over taken back before it is done.
    Point("switch", "switch.RespAuthDetails-PAY.committed", frozenset({PAID, NEVER})),
    Point("switch", "switch.RespPay-DEBIT.handled"),
    Point("switch", "switch.RespPay-DEBIT.committed"),
    Point("switch", "courier.sending.ReqPay:2"),
    Point("switch", "courier.sent.ReqPay:2"),
    Point("switch", "switch.RespPay-CREDIT.handled"),
    Point("switch", "switch.RespPay-CREDIT.committed"),
]
"""The debit is known but not written, written but not told, told but not noted …: the second ReqPay is the credit."""
BANKS = [
    # What was not committed is not there: asked for again within its time, or taken back before it is done.
    Point("banyan", "bank.DEBIT.booked", frozenset({PAID, NEVER})),
    Point("banyan", "bank.DEBIT.committed"),
    Point("banyan", "courier.sending.RespPay"),
    Point("banyan", "courier.sent.RespPay"),
    Point("asha", "bank.CREDIT.booked"),
    Point("asha", "bank.CREDIT.committed"),
    Point("asha", "courier.sending.RespPay"),
    Point("asha", "courier.sent.RespPay"),
]
SWITCH_BACK = [
    Point("switch", at, frozenset({BACK}))
    for at in (
        "switch.RespPay-CREDIT.handled",
        "switch.RespPay-CREDIT.committed",
        "courier.sending.ReqPay:3",
        "courier.sent.ReqPay:3",
        "switch.RespPay-REVERSAL.handled",
        "switch.RespPay-REVERSAL.committed",
    )
]
"""The payee's bank refuses the credit: the third ReqPay is the reversal."""
BANKS_BACK = [
    Point(who, at, frozenset({BACK}))
    for who, at in (
        ("asha", "bank.CREDIT.committed"),
        ("asha", "courier.sent.RespPay"),
        ("banyan", "bank.REVERSAL.booked"),
        ("banyan", "bank.REVERSAL.committed"),
        ("banyan", "courier.sending.RespPay:2"),
        ("banyan", "courier.sent.RespPay:2"),
    )
]
"""banyan's second RespPay is that of the reversal."""
REFUSING: Final = {"asha": {"failureShare": 1.0}}


async def killed_at(process: Process, point: str, rail: Rail, ref: str) -> None:
    """Pay while `process` is armed; it dies there and is started again. It must have nothing left to say before."""
    process.kill()
    process.start(point)
    await process.ready()
    await rail.approve(ref, PRICE)
    assert await process.killed_itself(), f"{point} was never reached"
    process.start()
    await process.ready()


async def ended(rail: Rail, ref: str) -> End:
    """How it ended, after all that was said again about it."""
    await rail.ended(ref)
    await rail.quiet()
    txn = await rail.ended(ref)
    return End(txn["state"], *[await rail.booked(*account, txn["id"]) for account in (PAYER, PAYEE)])


async def assert_books(rail: Rail) -> None:
    """M1: in each bank and between them."""
    books = [await rail.books(code) for code in rail.banks]
    assert [(one["difference"]["minor"], one["unfolded"]) for one in books] == [(0, []), (0, [])]
    assert sum(one["settlement"]["minor"] for one in books) == 0


async def assert_each_ends_right(rail: Rail, points: Sequence[Point]) -> None:
    """Pay once for each point. What had ended is, after all the others, still as it was."""
    for process in rail.processes:
        process.start()
    await rail.joined()
    found = dict[str, End]()
    for number, point in enumerate(points):
        ref = f"A{number}"
        await killed_at(rail.named(point.who), point.at, rail, ref)
        found[ref] = await ended(rail, ref)
        assert found[ref] in point.right, f"{point.who} {point.at}"
        await assert_books(rail)
    assert {ref: await ended(rail, ref) for ref in found} == found


async def test_m9_a_switch_killed_between_debit_and_credit_completes_what_was_debited_once(
    new_database: NewDatabase, issuer: Issuer
) -> None:
    async with running(new_database, issuer, **RULES) as rail:
        await assert_each_ends_right(rail, SWITCH)


async def test_m9_a_bank_killed_in_the_middle_of_its_leg_does_it_once(
    new_database: NewDatabase, issuer: Issuer
) -> None:
    async with running(new_database, issuer, **RULES) as rail:
        await assert_each_ends_right(rail, BANKS)


async def test_m9_a_switch_killed_on_the_way_back_takes_back_what_was_debited_once(
    new_database: NewDatabase, issuer: Issuer
) -> None:
    async with running(new_database, issuer, banks=REFUSING, **RULES) as rail:
        await assert_each_ends_right(rail, SWITCH_BACK)


async def test_m9_m11_a_bank_killed_on_the_way_back_takes_back_what_was_debited_once(
    new_database: NewDatabase, issuer: Issuer
) -> None:
    async with running(new_database, issuer, banks=REFUSING, **RULES) as rail:
        await assert_each_ends_right(rail, BANKS_BACK)
