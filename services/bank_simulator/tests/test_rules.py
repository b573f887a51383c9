"""What a bank decides without doing it: its behaviour, its bookings, its settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.bank_simulator.domain import postings
from services.bank_simulator.domain.postings import Movement, Unbalanced
from services.bank_simulator.domain.profile import Profile, behaviour
from services.bank_simulator.domain.seeds import DEFAULT, Seed, of_bank
from services.bank_simulator.settings import Settings

TROUBLE = Profile(timeout_share=0.2, late_reply_share=0.1, failure_share=0.3, seed=7)


def test_a_seed_and_a_transaction_always_behave_alike() -> None:
    once = [behaviour(TROUBLE, f"T{number}", "DEBIT") for number in range(200)]
    again = [behaviour(TROUBLE, f"T{number}", "DEBIT") for number in reversed(range(200))]
    assert once == again[::-1], "whatever came before"
    other = [behaviour(TROUBLE.model_copy(update={"seed": 8}), f"T{n}", "DEBIT") for n in range(200)]
    assert once != other


def test_shares_are_what_the_profile_says() -> None:
    found = [behaviour(TROUBLE, f"T{number}", "CREDIT") for number in range(4000)]
    assert 0.17 < sum(one.reply == "never" for one in found) / 4000 < 0.23
    assert 0.08 < sum(one.reply == "late" for one in found) / 4000 < 0.12
    assert 0.27 < sum(one.effect == "refuse" for one in found) / 4000 < 0.33


def test_a_reversal_is_never_refused() -> None:
    unwilling = Profile(failure_share=1.0)
    assert behaviour(unwilling, "T", "REVERSAL").effect == "do"


@pytest.mark.parametrize(("text", "milliseconds"), [("20ms", 20), ("2s", 2000), (15, 15), ("0s", 0)])
def test_latency_is_written_as_a_duration(text: object, milliseconds: int) -> None:
    assert Profile.model_validate({"latency": text}).latency == milliseconds


@pytest.mark.parametrize("wrong", [{"latency": "soon"}, {"timeoutShare": 2}, {"unknown": 1}])
def test_a_profile_that_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Profile.model_validate(wrong)


@given(st.integers(1, 10**12), st.integers(0, 50))
def test_m1_every_booking_adds_up_to_nothing(minor: int, fee: int) -> None:
    for movements in (
        postings.debit("A", minor),
        postings.credit("A", minor, fee),
        postings.reversal("A", minor),
        postings.opening("A", minor),
    ):
        assert sum(movement.minor for movement in movements) == 0


def test_m1_a_booking_that_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(Unbalanced):
        postings.balanced(Movement("A", 1), Movement("B", -2))


def test_each_bank_gets_its_own_seeds() -> None:
    seeds = (*DEFAULT, Seed(number="X100000001", name="X", bank="cedar"))
    assert [seed.number for seed in of_bank(seeds, "cedar")][-1] == "X100000001"
    assert [seed.vpa for seed in of_bank(seeds, "asha")][1] == "meera@asha"
    assert {seed.name for seed in of_bank(seeds, "banyan")} - {
        seed.name for seed in of_bank(seeds, "cedar")
    } == {"Leela Nair"}


@pytest.mark.parametrize("balance", ["1.234", "-1.00", "many", "1e5"])
def test_a_seeds_balance_is_an_amount(balance: str) -> None:
    with pytest.raises(ValidationError):
        Seed(number="X100000001", name="X", balance=balance)


def test_settings_come_from_the_rails_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_PROFILE", '{"code":"asha","name":"Asha Bank","latency":"20ms","seed":3}')
    monkeypatch.setenv("BANK_ACCOUNTS", '[{"number":"X100000001","name":"X","balance":"1.00"}]')
    monkeypatch.setenv("SUUUPRA_URL_UPI_CORE", "http://upi-core:8000")
    monkeypatch.setenv("SUUUPRA_DATABASE_URL", "postgresql://a@b/c")
    settings = Settings(service="bank-simulator", name="bank-asha")
    assert (settings.code, settings.title, settings.bank.latency) == ("asha", "Asha Bank", 20)
    assert settings.accounts[0].minor == 100
    assert settings.address == "http://bank-asha:8000"
