"""The state machine of a transaction: what is paid once, what comes back, and what is never guessed."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.upi_core.domain.codes import Code
from services.upi_core.domain.payment import (
    Authorised,
    AuthRefused,
    Check,
    CheckDue,
    Checked,
    CollectExpired,
    CreditReturned,
    Dispute,
    Happening,
    LegAnswered,
    Limits,
    Payment,
    Release,
    Send,
    Settle,
    State,
    Tell,
    TimedOut,
    WaitForCheck,
    decide,
)

OK = Code.SUCCESS
LATE = Limits(may_check=False, may_reverse=False, may_complete=False)


def after(*happenings: Happening) -> Payment:
    payment = Payment(State.INITIATED)
    for happening in happenings:
        payment = decide(payment, happening).payment
    return payment


DEBITED = (Authorised(), LegAnswered("DEBIT", OK))
DEEMED = (*DEBITED, TimedOut("CREDIT"))
REVERSING = (*DEBITED, LegAnswered("CREDIT", Code.PAYEE_ACCOUNT))


def test_a_payment_is_authorised_debited_credited_and_told() -> None:
    assert decide(after(), Authorised()).actions == (Send("DEBIT"),)
    assert decide(after(Authorised()), LegAnswered("DEBIT", OK)).actions == (Send("CREDIT"),)
    done = decide(after(*DEBITED), LegAnswered("CREDIT", OK))
    assert done.payment.state is State.SUCCESS
    assert Tell("SUCCESS", OK) in done.actions


@pytest.mark.parametrize("code", [Code.WRONG_PIN, Code.INSUFFICIENT, Code.PIN_TRIES, Code.PAYER_BANK_DOWN])
def test_a_refused_debit_fails_with_the_banks_code_and_gives_the_limit_back(code: Code) -> None:
    failed = decide(after(Authorised()), LegAnswered("DEBIT", code))
    assert (failed.payment.state, failed.payment.code) == (State.FAILED, code)
    assert failed.actions == (Release(), Tell("FAILURE", code))


def test_a_merchant_that_does_not_answer_is_u09_and_nothing_was_debited() -> None:
    failed = decide(after(), TimedOut("auth"))
    assert failed.payment.code is Code.AUTH_TIMEOUT
    assert not any(isinstance(action, Send) for action in failed.actions)
    assert after(TimedOut("auth"), Authorised()).state is State.FAILED, "its late answer changes nothing"


def test_an_expired_collect_is_u69() -> None:
    assert (after(CollectExpired()).state, after(CollectExpired()).code) == (State.EXPIRED, Code.EXPIRED)


def test_m10_a_debit_that_times_out_is_no_failure_and_nobody_is_told() -> None:
    unknown = decide(after(Authorised()), TimedOut("DEBIT"))
    assert unknown.payment.state is State.DEBIT_UNKNOWN
    assert unknown.actions == (WaitForCheck(first=True),)
    assert after(Authorised(), TimedOut("DEBIT"), LegAnswered("DEBIT", OK)).state is State.DEBITED


def test_a_debit_that_is_known_too_late_is_taken_back() -> None:
    late = decide(after(Authorised(), TimedOut("DEBIT")), Checked("DEBIT", "SUCCESS"), LATE)
    assert late.actions == (Send("REVERSAL"), Tell("FAILURE", Code.DEBIT_TIMEOUT))


def test_m10_a_credit_that_times_out_is_deemed_and_asked_about() -> None:
    deemed = decide(after(*DEBITED), TimedOut("CREDIT"))
    assert deemed.payment.state is State.DEEMED
    assert deemed.actions == (Tell("DEEMED", Code.DEEMED), WaitForCheck(first=True))
    assert decide(deemed.payment, CheckDue()).actions == (Check("CREDIT"),)


@pytest.mark.parametrize("found", [LegAnswered("CREDIT", OK), Checked("CREDIT", "SUCCESS")])
def test_m10_a_deemed_payment_whose_credit_is_found_succeeds(found: Happening) -> None:
    assert after(*DEEMED, CheckDue(), found).state is State.SUCCESS


def test_m10_a_deemed_payment_is_asked_about_three_times_and_then_left_to_people() -> None:
    payment = after(*DEEMED)
    for number in (1, 2, 3):
        payment = decide(payment, CheckDue()).payment
        assert payment.checks == number
        decision = decide(payment, TimedOut("check"))
        payment = decision.payment
    assert decision.actions == (Dispute("unresolved"),), (
        "never blind failure: no reversal, no word of failure"
    )
    assert payment.state is State.DISPUTED
    assert decide(payment, LegAnswered("CREDIT", OK)).payment.state is State.SUCCESS


def test_m10_no_check_is_sent_after_its_time() -> None:
    assert decide(after(*DEEMED), CheckDue(), LATE).actions == (Dispute("unresolved"),)


def test_m10_a_credit_that_is_not_found_is_believed_at_the_last_check_only() -> None:
    payment = after(*DEEMED, CheckDue())
    assert decide(payment, Checked("CREDIT", "NOT_FOUND")).actions == (WaitForCheck(first=False),)
    last = after(*DEEMED, CheckDue(), CheckDue(), CheckDue())
    assert Send("REVERSAL") in decide(last, Checked("CREDIT", "NOT_FOUND")).actions


@pytest.mark.parametrize("reversed_first", [False, True])
def test_m10_a_late_credit_after_the_reversal_is_a_dispute_and_no_second_credit(reversed_first: bool) -> None:
    payment = after(*REVERSING, *([LegAnswered("REVERSAL", OK)] if reversed_first else []))
    late = decide(payment, LegAnswered("CREDIT", OK))
    assert late.actions == (Dispute("late_credit"),)
    assert decide(late.payment, LegAnswered("CREDIT", OK)).actions == (), "told twice, disputed once"
    assert after(*REVERSING, LegAnswered("CREDIT", OK), LegAnswered("REVERSAL", OK)).state is State.DISPUTED


UNRESOLVED = (*DEEMED, CheckDue(), CheckDue(), CheckDue(), TimedOut("check"))


@pytest.mark.parametrize("late", [LegAnswered("CREDIT", Code.PAYEE_ACCOUNT), Checked("CREDIT", "FAILURE")])
def test_m10_a_credit_that_is_refused_after_the_last_check_goes_back_and_answers_the_dispute(
    late: Happening,
) -> None:
    assert after(*UNRESOLVED).state is State.DISPUTED
    back = decide(after(*UNRESOLVED), late)
    assert back.payment.state is State.REVERSAL_PENDING
    assert back.actions == (Send("REVERSAL"), Settle(), Tell("FAILURE", Code.CREDIT_FAILED))
    assert decide(back.payment, late).actions == (), "told twice, taken back once"
    nothing = decide(after(*UNRESOLVED), Checked("CREDIT", "NOT_FOUND"))
    assert nothing.note is None, "its message may still be on the way"


def test_m10_a_late_credit_that_its_bank_returns_leaves_the_payer_with_the_money() -> None:
    both = after(*REVERSING, LegAnswered("CREDIT", OK), LegAnswered("REVERSAL", OK))
    assert decide(both, CreditReturned()).payment.state is State.REVERSED
    assert decide(after(*UNRESOLVED), CreditReturned()).note is None


def test_m11_a_reversal_without_answer_is_sent_again_and_counts_once() -> None:
    again = decide(after(*REVERSING), TimedOut("REVERSAL"))
    assert again.actions == (Send("REVERSAL", again=True),)
    done = decide(again.payment, LegAnswered("REVERSAL", OK))
    assert done.payment.state is State.REVERSED
    assert decide(done.payment, LegAnswered("REVERSAL", OK)).actions == ()


def test_a_reversal_that_nobody_answers_ends_with_people_and_may_still_end_well() -> None:
    lost = decide(after(*REVERSING), TimedOut("REVERSAL"), LATE)
    assert lost.actions == (Dispute("reversal_unresolved"),)
    assert decide(lost.payment, LegAnswered("REVERSAL", OK)).payment.state is State.REVERSED


def test_a_debit_that_was_given_up_and_done_after_all_goes_back() -> None:
    late = decide(Payment(State.FAILED, Code.DEBIT_FAILED), LegAnswered("DEBIT", OK))
    assert late.actions == (Send("REVERSAL"), Dispute("late_debit"))


HAPPENINGS: list[Happening] = [
    Authorised(),
    AuthRefused(Code.AUTH_DECLINED),
    CollectExpired(),
    CheckDue(),
    CreditReturned(),
    *(LegAnswered(leg, code) for leg in ("DEBIT", "CREDIT", "REVERSAL") for code in (OK, Code.SYSTEM)),
    *(TimedOut(step) for step in ("auth", "DEBIT", "CREDIT", "REVERSAL", "check")),
    *(
        Checked(leg, answer)
        for leg in ("DEBIT", "CREDIT")
        for answer in ("SUCCESS", "FAILURE", "PENDING", "NOT_FOUND")
    ),
]


@pytest.mark.parametrize(("state", "happening"), list(product(State, HAPPENINGS)))
def test_every_happening_in_every_state_has_a_decision(state: State, happening: Happening) -> None:
    decision = decide(Payment(state), happening)
    assert (decision.note is None) == (decision.payment == Payment(state) and not decision.actions)


@settings(max_examples=500)
@given(st.lists(st.sampled_from(HAPPENINGS), max_size=30), st.booleans())
def test_whatever_happens_the_payee_is_credited_once_and_success_is_final(
    happenings: list[Happening], late: bool
) -> None:
    payment, credits_sent, told_success = Payment(State.INITIATED), 0, 0
    for happening in happenings:
        decision = decide(payment, happening, LATE if late else Limits())
        if payment.state is State.SUCCESS:
            assert decision.actions == ()
        credits_sent += Send("CREDIT") in decision.actions
        told_success += any(isinstance(a, Tell) and a.result == "SUCCESS" for a in decision.actions)
        assert payment.reversals == 0 or Send("CREDIT") not in decision.actions, "no credit after a reversal"
        payment = decision.payment
    assert credits_sent <= 1
    assert told_success <= 1
