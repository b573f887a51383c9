"""A rail as the operator tells of it (contract.py has it too): where its switch is, and what its rulebook says."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from suuupra import fields


def _seconds(value: object) -> object:
    """`90`, `"90s"`, `"15m"`, `"2h"` as seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if isinstance(value, str) and value[:-1].isdecimal() and value[-1:] in units:
        return int(value[:-1]) * units[value[-1]]
    return value


Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=1, le=30 * 86400)]


class Rulebook(BaseModel):
    """What of a rail's rulebook concerns a merchant's PSP, named as the switch names it; the rest is ignored here.

    Every duration is divided by `scale`. What is left out is NPCI's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, alias_generator=to_camel)

    scale: Annotated[int, Field(ge=1, le=3600)] = 1
    pay_timer: Seconds = 15
    first_check_after: Seconds = 90
    check_every: Seconds = 90
    check_attempts: Annotated[int, Field(ge=0, le=100)] = 3
    check_within: Seconds = 7200


class RailParticipant(BaseModel):
    """A bank of the rail."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: fields.Token
    name: fields.Line = ""


class RailRegistration(BaseModel):
    """PUT /internal/v1/rails/{name}: a rail is there, or has changed. The same again changes nothing.

    `url` is the switch's address. `settlement` is the participant at which the merchant has its account; the first
    one by default. `account` is the number of that account. Attempts that begin after a change are paid to the new one;
    what began before is paid to the old one and refunded from there.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["upi"] = "upi"
    url: fields.WebAddress
    participants: Annotated[list[RailParticipant], Field(min_length=1, max_length=100)]
    settlement: fields.Token | None = None
    account: fields.Token | None = None
    rulebook: Rulebook = Rulebook()
