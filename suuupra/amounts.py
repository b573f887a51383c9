"""Money in requests and answers: exact text in, minor units and text out. A float never comes near it.

    class NewRefund(BaseModel):
        amount: AmountGiven            # {"currency": "INR", "amount": "499.00"}

A wrong amount (too many decimals, negative, too large, an unknown currency) is refused with its field, by validation.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from suuupra.money import Money, MoneyError, exponent_of

GREATEST_GIVEN: Final = 10**15
"""Minor units that a caller may name: sums of thousands of them are still far inside 64 bits."""


def _known(code: str) -> str:
    exponent_of(code)
    return code


Currency = Annotated[
    str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.", examples=["INR"]), AfterValidator(_known)
]
AmountText = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^[0-9.+-]+$",
        description="Major units: digits, and a point with at most the currency's decimals.",
        examples=["499.00"],
    ),
]


class Amount(BaseModel):
    """Money in an answer: `minor` units for programs, `text` (major units, all decimals) for people."""

    model_config = ConfigDict(frozen=True)

    minor: int
    currency: str
    text: str

    @classmethod
    def of(cls, money: Money) -> "Amount":
        """That money."""
        return cls(minor=money.minor, currency=money.currency, text=f"{money.decimal():f}")


class AmountGiven(BaseModel):
    """Money in a request: exact, from 0 on, in a currency that is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Currency
    amount: AmountText

    @field_validator("amount")
    @classmethod
    def _exact(cls, text: str, info: ValidationInfo) -> str:
        if "currency" in info.data:
            _checked(text, info.data["currency"])
        return text

    @property
    def money(self) -> Money:
        """The amount."""
        return Money.parse(self.amount, self.currency)


def _checked(text: str, currency: str) -> None:
    try:
        money = Money.parse(text, currency)
    except MoneyError as error:
        raise ValueError(f"must be an amount of {currency}: {error}") from error
    if not 0 <= money.minor <= GREATEST_GIVEN:
        most = Money(GREATEST_GIVEN, currency).decimal()
        raise ValueError(f"must be an amount of {currency} from 0 to {most:f}")
