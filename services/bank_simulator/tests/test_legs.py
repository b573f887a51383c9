"""Debit, credit and reversal: once per transaction, never with other content, never more than there is."""

import asyncio
from functools import partial
from typing import Any

import httpx
import pytest

from services.bank_simulator.tests.conftest import CounterWith
from services.bank_simulator.tests.counter import MEERA, PIN, RUPEES_250K, SHOP, Counter
from services.upi_core import contract as upi
from services.upi_core.contract import Code, TxnType
from suuupra import signatures
from suuupra.db import Database
from suuupra.signatures import Signer
from suuupra.testing.remembered import tables_with
from suuupra.testing.unchanged import unchanged
from suuupra.testing.waiting import insisted

pytestmark = pytest.mark.integration


async def test_a_debit_takes_money_once_and_is_answered_with_its_reference(counter: Counter) -> None:
    message = await counter.leg(TxnType.DEBIT)
    assert await counter.ask(message) is Code.SUCCESS
    assert await counter.balance() == RUPEES_250K - 10_000
    ref = counter.heard[-1].resp.refs[0]
    assert (ref.type, ref.code) == ("PAYER", Code.SUCCESS)
    assert ref.approval
    await counter.assert_books()


async def test_m2_of_a_hundred_debits_of_the_whole_balance_exactly_one_succeeds(counter: Counter) -> None:
    messages = [await counter.leg(TxnType.DEBIT, minor=RUPEES_250K) for _ in range(100)]
    answers = await asyncio.gather(*(patiently(counter, message) for message in messages))
    assert all(answer.is_success for answer in answers)
    await counter.settle()
    codes = [one.resp.code for one in counter.heard]
    assert len(codes) == 100
    assert codes.count(Code.SUCCESS) == 1
    assert codes.count(Code.INSUFFICIENT) == 99
    assert await counter.balance() == 0
    await counter.assert_books()


async def patiently(counter: Counter, message: upi.ReqPay) -> httpx.Response:
    """Send it as a courier does: again while every connection is taken."""
    body = message.model_dump_json(exclude_none=True).encode()
    path = upi.path_of(upi.Api.REQ_PAY)
    headers = counter.signer.sign("POST", path, body, counter.clock.now())
    return await insisted(partial(counter.http.post, path, content=body, headers=headers))


async def test_m4_a_leg_that_is_asked_for_again_is_done_once_and_answered_again(counter: Counter) -> None:
    message = await counter.leg(TxnType.DEBIT)
    for _ in range(3):
        await counter.ask(message)
    assert await counter.balance() == RUPEES_250K - 10_000
    assert len({one.head.msg_id for one in counter.heard}) == 1, "one answer, given three times"
    assert len(counter.heard) == 3
    other = message.model_copy(update={"head": upi.Head(ts=counter.clock.now(), org_id=upi.SWITCH)})
    await counter.say(other)
    await counter.settle()
    assert len(counter.heard) == 4, "asked under another message's id it is answered too"
    assert (counter.heard[-1].resp.req_msg_id, counter.heard[-1].resp.code) == (
        message.head.msg_id,
        Code.SUCCESS,
    )
    assert await counter.balance() == RUPEES_250K - 10_000


@pytest.mark.parametrize("changed", [{"minor": 20_000}, {"account": "ASHA100002"}])
async def test_m4_a_reused_id_with_other_content_never_passes_as_a_duplicate(
    counter: Counter, changed: dict[str, Any]
) -> None:
    message = await counter.leg(TxnType.DEBIT)
    assert await counter.ask(message) is Code.SUCCESS
    other = await counter.leg(TxnType.DEBIT, txn_id=message.txn.id, **changed)
    same_message = other.model_copy(update={"head": message.head})
    async with unchanged(counter.bank.state.resources.get(Database)):
        problems = [await counter.refused(it) for it in (other, same_message)]
        await counter.settle()
    assert [it["code"] for it in problems] == [Code.DUPLICATE] * 2
    faults = [fault for it in problems for fault in it["errors"]]
    assert [fault["field"] for fault in faults] == ["body.txn.id", "body.head.msg_id"]
    assert all(fault["rule"] and fault["fix"] for fault in faults)
    assert await counter.balance() == RUPEES_250K - 10_000
    assert await counter.balance("ASHA100002") == 60_000_00


async def test_m5_a_debit_is_taken_back_once(counter: Counter) -> None:
    message = await counter.leg(TxnType.DEBIT)
    await counter.ask(message)
    first = await counter.leg(TxnType.REVERSAL, txn_id=message.txn.id)
    assert await counter.ask(first) is Code.SUCCESS
    assert await counter.ask(first) is Code.SUCCESS
    assert await counter.balance() == RUPEES_250K
    await counter.assert_books()


async def test_m5_two_reversals_at_once_give_the_money_back_once(counter: Counter) -> None:
    message = await counter.leg(TxnType.DEBIT)
    await counter.ask(message)
    both = [await counter.leg(TxnType.REVERSAL, txn_id=message.txn.id) for _ in range(5)]
    await asyncio.gather(*(counter.say(one) for one in both))
    await counter.settle()
    assert await counter.balance() == RUPEES_250K


async def test_a_reversal_of_more_than_was_debited_is_refused(counter: Counter) -> None:
    message = await counter.leg(TxnType.DEBIT)
    await counter.ask(message)
    assert await counter.reverse(message.txn.id, minor=20_000) is Code.MISMATCH
    assert await counter.balance() == RUPEES_250K - 10_000


async def test_a_debit_that_comes_after_its_reversal_is_not_done(counter: Counter) -> None:
    txn_id = upi.new_txn_id("TST")
    assert await counter.reverse(txn_id) is Code.SUCCESS
    assert await counter.debit(txn_id=txn_id) is Code.DEBIT_FAILED
    assert await counter.balance() == RUPEES_250K


async def test_a_debit_after_its_time_is_refused(counter: Counter) -> None:
    assert await counter.debit(expires_in=-1) is Code.DEBIT_TIMEOUT
    assert await counter.balance() == RUPEES_250K


async def test_accounts_that_are_not_there_have_codes(counter: Counter) -> None:
    assert await counter.debit(account="ASHA999999") is Code.PAYER_ACCOUNT
    assert await counter.credit(account="ASHA999999") is Code.PAYEE_ACCOUNT


async def test_the_banks_own_accounts_cannot_be_named_by_a_leg(counter: Counter) -> None:
    assert await counter.credit(account="CAPITAL") is Code.PAYEE_ACCOUNT
    assert await counter.debit(account="SETTLEMENT") is Code.PAYER_ACCOUNT


async def test_a_limit_of_the_bank_is_z8(counter_with: CounterWith) -> None:
    async with counter_with(limitMinor=5_000) as counter:
        assert await counter.debit() is Code.BANK_LIMIT


async def test_m1_a_merchants_fee_is_two_more_legs_that_balance(counter_with: CounterWith) -> None:
    async with counter_with(feePermille=20) as counter:
        assert await counter.credit(account=SHOP, minor=10_050) is Code.SUCCESS
        assert await counter.balance(SHOP) == 10_050 - 201
        assert (await counter.get("books"))["fees"]["minor"] == 201
        await counter.assert_books()


@pytest.mark.parametrize("pin", ["0000", "12345"])
async def test_a_wrong_pin_is_zm(counter: Counter, pin: str) -> None:
    assert await counter.debit(pin=pin) is Code.WRONG_PIN


async def test_a_debit_without_pin_is_refused_and_a_merchants_refund_needs_none(counter: Counter) -> None:
    assert await counter.debit(pin=None) is Code.CREDENTIAL_MISMATCH
    await counter.credit(account=SHOP, minor=5_000)
    refund: dict[str, Any] = {
        "account": SHOP,
        "minor": 5_000,
        "pin": None,
        "org_txn_id": upi.new_txn_id("OLD"),
    }
    assert await counter.debit(**refund) is Code.SUCCESS
    assert await counter.debit(account=SHOP, minor=1, pin=None) is Code.CREDENTIAL_MISMATCH


async def test_guesses_at_once_are_counted_one_by_one(counter: Counter) -> None:
    messages = [await counter.leg(TxnType.DEBIT, pin=f"{guess:04}") for guess in range(12)]
    await asyncio.gather(*(patiently(counter, message) for message in messages))
    await counter.settle()
    codes = [one.resp.code for one in counter.heard]
    assert codes.count(Code.WRONG_PIN) == 3
    assert codes.count(Code.PIN_TRIES) == 9
    assert await counter.debit() is Code.PIN_TRIES


async def test_a_pin_is_free_again_after_its_block_and_counts_anew(counter: Counter) -> None:
    for _ in range(3):
        await counter.debit(pin="0000")
    counter.clock.advance(24 * 3600 + 1)
    assert await counter.debit(pin="0000") is Code.WRONG_PIN
    assert await counter.debit() is Code.SUCCESS


async def test_an_encrypted_pin_is_kept_while_its_debit_is_under_way_and_no_longer(
    counter_with: CounterWith,
) -> None:
    async with counter_with(latency="2s") as counter:
        database = counter.bank.state.resources.get(Database)
        for pin in (PIN, "0000"):
            message = await counter.leg(TxnType.DEBIT, pin=pin)
            assert message.payer.credential is not None
            await counter.say(message)
            assert await tables_with(database, message.payer.credential.data) == ["leg"]
            await counter.later(2)
            assert counter.heard[-1].resp.req_msg_id == message.head.msg_id
            assert await tables_with(database, message.payer.credential.data) == []


async def test_no_pin_is_kept_of_a_debit_that_was_lost_or_taken_back(counter_with: CounterWith) -> None:
    async with counter_with(timeoutShare=1.0) as counter:
        database = counter.bank.state.resources.get(Database)
        for _ in range(6):  # about half of them are lost inside the bank
            message = await counter.leg(TxnType.DEBIT)
            assert message.payer.credential is not None
            await counter.ask(message)
            assert await tables_with(database, message.payer.credential.data) == []
            reversal = await counter.leg(TxnType.REVERSAL, txn_id=message.txn.id)
            await counter.ask(reversal)
            assert await counter.ask(reversal) is Code.SUCCESS, "what is kept is enough to take it back"
            assert await tables_with(database, message.payer.credential.data) == []
        assert await counter.balance() == RUPEES_250K


# The profile


async def test_latency_is_waited_for_and_a_check_says_pending_meanwhile(counter_with: CounterWith) -> None:
    async with counter_with(latency="2s") as counter:
        message = await counter.leg(TxnType.DEBIT)
        assert await counter.ask(message) is None
        assert (await counter.check(message.txn.id, TxnType.DEBIT))[0] == "PENDING"
        await counter.later(2)
        assert counter.heard[-1].resp.code is Code.SUCCESS


async def test_a_late_answer_comes_after_its_time_and_a_check_knows_before(counter_with: CounterWith) -> None:
    async with counter_with(lateReplyShare=1.0, lateBy="20s") as counter:
        message = await counter.leg(TxnType.DEBIT)
        assert await counter.ask(message) is None
        assert await counter.check(message.txn.id, TxnType.DEBIT) == ("SUCCESS", "00")
        await counter.later(20)
        assert counter.heard[-1].resp.req_msg_id == message.head.msg_id


async def test_a_silent_bank_did_about_half_of_it_and_its_checks_tell_which(
    counter_with: CounterWith,
) -> None:
    async with counter_with(timeoutShare=1.0) as counter:
        found = []
        for _ in range(20):
            message = await counter.leg(TxnType.DEBIT, minor=100)
            assert await counter.ask(message) is None
            found.append(await counter.check(message.txn.id, TxnType.DEBIT))
        done = found.count(("SUCCESS", "00"))
        assert 0 < done < 20
        assert found.count(("FAILURE", "U48")) == 20 - done
        assert await counter.balance() == RUPEES_250K - done * 100


async def test_a_reversal_that_got_no_answer_is_answered_when_asked_again(counter_with: CounterWith) -> None:
    """M11: whatever the profile says of the first time."""
    async with counter_with(timeoutShare=1.0) as counter:
        for _ in range(6):
            debited = await counter.leg(TxnType.DEBIT)
            await counter.ask(debited)
            message = await counter.leg(TxnType.REVERSAL, txn_id=debited.txn.id)
            assert await counter.ask(message) is None
            assert await counter.ask(message) is Code.SUCCESS
        assert await counter.balance() == RUPEES_250K


async def test_a_check_of_nothing_is_u48(counter: Counter) -> None:
    assert await counter.check(upi.new_txn_id("XXX"), TxnType.CREDIT) == ("FAILURE", "U48")


# Who may


async def test_only_the_switch_is_heard(counter: Counter) -> None:
    message = await counter.leg(TxnType.CREDIT, account=MEERA)
    path, body = upi.path_of(upi.Api.REQ_PAY), message.model_dump_json(exclude_none=True).encode()
    for signer in (Signer(signatures.generate_key(), upi.SWITCH), Signer(counter.signer.key, "banyan")):
        headers = signer.sign("POST", path, body, counter.clock.now())
        assert (await counter.http.post(path, content=body, headers=headers)).status_code == 401
    headers = counter.signer.sign("POST", path, body, counter.clock.now())
    forged = body.replace(b'"minor":10000', b'"minor":99999')
    assert (await counter.http.post(path, content=forged, headers=headers)).status_code == 401
    assert await counter.balance() == RUPEES_250K


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b'"minor":10000', b'"minor":-1', "amount"),
        (b'"minor":10000', b'"minor":10.5', "amount"),
        (b'"minor":10000', b'"minor":99999999999999999999', "amount"),
        (b'"currency":"INR"', b'"currency":"USD"', "amount"),
        (b'"currency":"INR"', b'"currency":"XXQ"', "amount"),
        (b'"vpa":"shop@cedar"', b'"vpa":"no address"', "vpa"),
    ],
)
async def test_what_is_no_message_is_422_and_names_the_field(
    counter: Counter, old: bytes, new: bytes, field: str
) -> None:
    message = await counter.leg(TxnType.DEBIT)
    path = upi.path_of(upi.Api.REQ_PAY)
    body = message.model_dump_json(exclude_none=True).encode().replace(old, new)
    headers = counter.signer.sign("POST", path, body, counter.clock.now())
    answer = await counter.http.post(path, content=body, headers=headers)
    assert answer.status_code == 422
    assert any(field in error["field"] for error in answer.json()["errors"])
    assert await counter.balance() == RUPEES_250K
