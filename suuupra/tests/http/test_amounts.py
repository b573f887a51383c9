"""Amounts in requests are exact, or refused by field and rule."""

import pytest
from pydantic import BaseModel, ValidationError

from suuupra.amounts import Amount, AmountGiven
from suuupra.money import Money


class Request(BaseModel):
    """A body with an amount."""

    amount: AmountGiven


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        ("INR", "499", 49_900),
        ("INR", "499.00", 49_900),
        ("JPY", "500", 500),
        ("KWD", "1.234", 1_234),
        ("CLF", "0.0001", 1),
        ("INR", "0", 0),
    ],
)
def test_an_amount_is_read_exactly(currency: str, text: str, minor: int) -> None:
    given = AmountGiven(currency=currency, amount=text)
    assert given.money == Money(minor, currency)


@pytest.mark.parametrize(
    ("currency", "text", "field", "rule"),
    [
        ("INR", "499.001", ("amount", "amount"), "INR has at most 2 decimals"),
        ("JPY", "1.0", ("amount", "amount"), "JPY has no decimals"),
        ("INR", "-1", ("amount", "amount"), "from 0"),
        ("INR", "99999999999999999999", ("amount", "amount"), "at most"),
        ("INR", "10000000000000.01", ("amount", "amount"), "from 0 to 10000000000000.00"),
        ("INR", "1e3", ("amount", "amount"), "pattern"),
        ("INR", "1.2.3", ("amount", "amount"), "not an amount"),
        ("XXQ", "1", ("amount", "currency"), "not an ISO 4217"),
        ("inr", "1", ("amount", "currency"), "pattern"),
    ],
)
def test_a_wrong_amount_is_refused_with_its_field(
    currency: str, text: str, field: tuple[str, ...], rule: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Request.model_validate({"amount": {"currency": currency, "amount": text}})
    (error,) = refused.value.errors()
    assert error["loc"] == field
    assert rule in error["msg"]


def test_an_answer_tells_money_for_programs_and_for_people() -> None:
    assert Amount.of(Money(5, "KWD")).model_dump() == {"minor": 5, "currency": "KWD", "text": "0.005"}
