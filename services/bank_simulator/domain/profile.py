"""How a bank behaves: how fast, how reliably. Decided by a seed, so that a run can be repeated.

What happens to a leg depends on the seed, the transaction and the leg and on nothing else: not on the order in which
messages come, nor on how many there were before.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

_DURATION: Final = re.compile(r"(\d{1,7})(ms|s)?")
_STEPS: Final = 2**53


def _milliseconds(value: Any) -> Any:
    """`20ms`, `2s` or a number of milliseconds."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError("must be a duration such as 20ms or 2s")
    return int(match[1]) * (1000 if match[2] == "s" else 1)


Milliseconds = Annotated[int, BeforeValidator(_milliseconds), Field(ge=0, le=3_600_000)]
Share = Annotated[float, Field(ge=0, le=1)]


class Profile(BaseModel):
    """What BANK_PROFILE says. Shares are of legs; the three together are at most 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    code: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,39}$")] | None = None
    """The participant's code; default: what follows `bank-` in the resource's name."""
    name: str | None = None
    latency: Milliseconds = 0
    timeout_share: Share = 0
    """Never answered: half of them were done all the same."""
    late_reply_share: Share = 0
    """Done at once and answered `late_by` later."""
    failure_share: Share = 0
    """Refused because the bank's own systems are down (XY, Y1)."""
    late_by: Milliseconds = 20_000
    seed: int = 1
    fee_permille: Annotated[int, Field(ge=0, le=50)] = 0
    """What a merchant pays for each credit; UPI's own rule is nothing (MDR, since January 2020)."""
    limit_minor: Annotated[int, Field(ge=1)] | None = None
    """The most that one debit may take (Z8)."""
    pin_tries: Annotated[int, Field(ge=1, le=10)] = 3
    pin_block: Annotated[int, Field(ge=1, le=7 * 24 * 3600)] = 24 * 3600
    """Seconds for which a PIN is blocked after that many wrong ones in a row."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is going to happen to one leg."""

    latency: timedelta
    effect: Literal["do", "refuse", "drop"]
    """`drop`: the message is lost inside the bank."""
    reply: Literal["now", "late", "never"]


def behaviour(profile: Profile, txn_id: str, leg: str) -> Behaviour:
    """A reversal is never refused: a bank may be slow or silent about it, but not unwilling."""
    latency = timedelta(milliseconds=profile.latency)
    chance = _chance(profile.seed, txn_id, leg, "outcome")
    if chance < profile.timeout_share:
        dropped = _chance(profile.seed, txn_id, leg, "dropped") < 0.5
        return Behaviour(latency, "drop" if dropped else "do", "never")
    chance -= profile.timeout_share
    if chance < profile.late_reply_share:
        return Behaviour(latency, "do", "late")
    chance -= profile.late_reply_share
    if chance < profile.failure_share and leg != "REVERSAL":
        return Behaviour(latency, "refuse", "now")
    return Behaviour(latency, "do", "now")


def _chance(*parts: object) -> float:
    """A number from 0 up to 1, the same for the same parts."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / _STEPS
