"""The accounts that a bank has from the beginning, for demonstrations: BANK_ACCOUNTS says others."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from suuupra.money import Money, MoneyError


class Seed(BaseModel):
    """One account. Without `bank` every bank has one; `{code}` in `vpa` and `number` becomes the bank's code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Annotated[str, Field(min_length=4, max_length=40)]
    name: str
    kind: Literal["customer", "merchant"] = "customer"
    vpa: str | None = None
    pin: Annotated[str, Field(pattern=r"^[0-9]{4,6}$")] | None = Field(default=None, repr=False)
    balance: str = "0.00"
    """Rupees, as text: never a float."""
    bank: str | None = None

    @field_validator("balance")
    @classmethod
    def _is_amount(cls, text: str) -> str:
        try:
            amount = Money.parse(text, "INR")
        except MoneyError as error:
            raise ValueError(str(error)) from None
        if amount.minor < 0:
            raise ValueError("must not be negative")
        return text

    @property
    def minor(self) -> int:
        return Money.parse(self.balance, "INR").minor

    def of(self, code: str) -> dict[str, Any]:
        """What of it is the bank's."""
        return {
            "number": self.number.replace("{code}", code.upper().replace("-", "")),
            "vpa": self.vpa.replace("{code}", code.lower().replace("-", "")) if self.vpa else None,
        }


DEFAULT: Final = (
    Seed(number="SUUUPRA001", name="Suuupra", kind="merchant"),
    Seed(number="{code}100001", name="Meera Iyer", vpa="meera@{code}", pin="1234", balance="250000.00"),
    Seed(number="{code}100002", name="Kabir Das", vpa="kabir@{code}", pin="2468", balance="60000.00"),
    Seed(number="{code}100003", name="Noor Khan", vpa="noor@{code}", pin="1357", balance="150.00"),
    Seed(
        number="{code}100004", name="Asha Rao", vpa="asha@{code}", pin="1234", balance="60000.00", bank="asha"
    ),
    Seed(
        number="{code}100005", name="Omar Ali", vpa="omar@{code}", pin="2468", balance="60000.00", bank="asha"
    ),
    Seed(
        number="{code}100004",
        name="Leela Nair",
        vpa="leela@{code}",
        pin="1234",
        balance="60000.00",
        bank="banyan",
    ),
)
"""A merchant's account, two payers with money, and one who has not enough; and the learners of the demo world, each at
a bank of their own, so that a phone is titled with its owner's name."""


def of_bank(seeds: tuple[Seed, ...], code: str) -> list[Seed]:
    """The accounts of one bank."""
    return [seed.model_copy(update=seed.of(code)) for seed in seeds if seed.bank in (None, code)]
