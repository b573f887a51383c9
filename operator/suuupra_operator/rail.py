# ruff: noqa: RUF012 - the default of a Pydantic field is copied for each instance
"""The spec of a PaymentRail: a switch, its participants, and the rules they keep."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from suuupra_operator.models import Replicas, Resources, Slo
from suuupra_operator.routes import Route
from suuupra_operator.schema import IMAGE, SET, Label, Model, cel, list_map, rules

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(ge=1, le=1_000_000)]
Paise = Annotated[int, Field(ge=1, le=10**15)]
WRITTEN = ("RAIL_RULEBOOK", "BANK_PROFILE")
_KEYS = cel(
    "!has(self.env) || self.env.all(k, k.matches('^[A-Z_][A-Z0-9_]*$') && !k.startsWith('SUUUPRA_')"
    " && !(k in ['RAIL_RULEBOOK', 'BANK_PROFILE']))",
    "env: a key is upper case, does not start with SUUUPRA_, and is not what the rail writes",
    fieldPath=".env",
)
LATENCY = r"^(0s|[1-9][0-9]{0,4}(ms|s))$"
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", max_length=10)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,29}$", max_length=30)]


class Profile(Model):
    """How a bank behaves. Equal seeds and equal requests behave alike."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "self.timeoutShare + self.failureShare + self.lateReplyShare <= 1.0",
                "timeoutShare, failureShare and lateReplyShare are parts of one whole: together at most 1",
            )
        )
    }

    latency: str = Field("20ms", pattern=LATENCY, max_length=8)
    """Before it answers."""
    timeout_share: Share = 0
    """Of requests it never answers, though it may have acted."""
    failure_share: Share = 0
    """Of requests it declines for reasons of its own."""
    late_reply_share: Share = 0
    """Of requests it answers after the timer has run out."""
    late_by: Annotated[str, Field(pattern=LATENCY, max_length=8)] | None = None
    """How much later such an answer comes."""
    seed: int = Field(1, ge=0, le=2**31 - 1)
    fee_permille: int | None = Field(None, ge=0, le=50)
    """What a merchant pays for each credit."""
    limit_minor: Paise | None = None
    """The most that one debit may take."""
    pin_tries: int | None = Field(None, ge=1, le=10)
    pin_block: int | None = Field(None, ge=1, le=604800)
    """Seconds for which a PIN is blocked after that many wrong ones."""

    @model_validator(mode="after")
    def _parts_of_one(self) -> Profile:
        if self.timeout_share + self.failure_share + self.late_reply_share > 1:
            raise ValueError("timeoutShare, failureShare and lateReplyShare are together at most 1")
        return self


class _Environment(Model):
    """Variables that the code of a rail knows beside those that the rail itself writes."""

    env: dict[str, Annotated[str, Field(max_length=4096)]] = Field({}, max_length=32)

    @model_validator(mode="after")
    def _its_own(self) -> Self:
        taken = sorted(key for key in self.env if key.startswith("SUUUPRA_") or key in WRITTEN)
        if taken:
            raise ValueError(f"env.{taken[0]} is written by the operator")
        return self


class Participant(_Environment):
    """A bank. It gets a resource ``bank-<code>`` with a database of its own, which outlives it."""

    model_config = {"json_schema_extra": rules(_KEYS)}

    code: Code
    """Also the handle of its payment addresses: name@code."""
    name: str = Field(min_length=1, max_length=80)
    profile: Profile = Profile()
    replicas: Replicas = Replicas()


class Switch(_Environment):
    """The switch's own resource, named like the code it runs."""

    model_config = {
        "json_schema_extra": rules(
            cel("self.service == oldSelf.service", "service cannot change: make another rail"), _KEYS
        )
    }

    service: Label = "upi-core"
    image: Annotated[str, Field(pattern=IMAGE, max_length=300)] | None = None
    """Full image reference; default: what the platform pins for the service."""
    replicas: Replicas = Replicas()
    resources: Resources | None = None
    routes: Annotated[list[Route], Field(max_length=16)] = []
    """Its pages: the phone that payments are approved on."""
    calls: Annotated[list[Label], Field(max_length=16, json_schema_extra=SET)] = []
    """Participants beside the banks and the service of ``registerWith``, which are added."""
    slo: Slo = Slo()


class Banks(_Environment):
    """What all banks have in common."""

    model_config = {"json_schema_extra": rules(_KEYS)}

    service: Label = "bank-simulator"
    image: Annotated[str, Field(pattern=IMAGE, max_length=300)] | None = None
    """Full image reference; default: what the platform pins for the service."""
    resources: Resources | None = None
    slo: Slo = Slo()


class RailLimit(Model):
    """How much one account may pay, from a day on."""

    kind: Literal["P2P", "P2M"]
    mcc: Annotated[
        list[Annotated[str, Field(pattern=r"^[0-9]{4}$", max_length=4)]],
        Field(max_length=32, json_schema_extra=SET),
    ] = []
    """Merchant category codes (ISO 18245); none: every merchant."""
    per_transaction_minor: Paise
    per_day_minor: Paise
    effective_from: Day | None = None


class Rulebook(Model):
    """The rail's rules. What is absent is as NPCI's circulars have it; durations are seconds before ``scale``."""

    scale: int = Field(1, ge=1, le=3600)
    """All durations are divided by it, so that a demonstration need not wait."""
    pay_timer: Seconds | None = None
    check_timer: Seconds | None = None
    reversal_timer: Seconds | None = None
    val_add_timer: Seconds | None = None
    first_check_after: Seconds | None = None
    check_every: Seconds | None = None
    check_attempts: int | None = Field(None, ge=1, le=3)
    check_within: Seconds | None = None
    reversal_within: Seconds | None = None
    complete_within: Seconds | None = None
    heartbeat_every: Seconds | None = None
    per_day_count: int | None = Field(None, ge=1, le=100000)
    limits: Annotated[list[RailLimit], Field(max_length=32)] | None = None
    net_debit_caps: dict[str, Annotated[int, Field(ge=0, le=10**15)]] = Field({}, max_length=100)
    """Participant → by how much (paise) it may have paid more than it received today."""
    risk_declines_from: int | None = Field(None, ge=1, le=101)
    collect_until: Day | None = None
    """From this day on collect requests are refused."""
    collect_minutes: int | None = Field(None, ge=1, le=64800)
    dispute_days: int | None = Field(None, ge=1, le=365)

    def told(self) -> dict[str, Any]:
        """As the switch reads it: only what the resource says."""
        said = self.manifest()
        return {key: value for key, value in said.items() if value not in ([], {})}


class PaymentRailSpec(Model):
    """A rail and who takes part in it."""

    model_config = {
        "json_schema_extra": rules(
            cel("self.type == oldSelf.type", "type cannot change: make another rail"),
            cel(
                "!has(self.settlement) || self.participants.exists(p, p.code == self.settlement)",
                "settlement: must be the code of a participant",
                fieldPath=".settlement",
            ),
            cel(
                "has(self.settlement) || self.participants[0].code =="
                " (has(oldSelf.settlement) ? oldSelf.settlement : oldSelf.participants[0].code)",
                "settlement: name it, or the merchant's account would move to whichever participant is first",
                fieldPath=".settlement",
            ),
            cel(
                "!has(self.rulebook.netDebitCaps) ||"
                " self.rulebook.netDebitCaps.all(c, self.participants.exists(p, p.code == c))",
                "rulebook.netDebitCaps: each key must be the code of a participant",
                fieldPath=".rulebook",
            ),
        )
    }

    type: Literal["upi"] = "upi"
    switch: Switch = Switch()
    banks: Banks = Banks()
    participants: Annotated[
        list[Participant], Field(min_length=1, max_length=32, json_schema_extra=list_map("code"))
    ]
    settlement: Code | None = None
    """The bank at which the merchant has its account; default: the first, for as long as the same bank is the first.

    Another may be named at any time: what was paid before, or is being paid, stays at the bank it went to.
    """
    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$", max_length=64)] | None = None
    """The number of that account; default: what the merchant's service and the bank agree on."""
    rulebook: Rulebook = Rulebook()
    register_with: Label = "payments"
    """The service that takes payments over this rail."""

    @model_validator(mode="after")
    def _participants(self) -> PaymentRailSpec:
        codes = [participant.code for participant in self.participants]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"participants: {twice[0]} is named twice")
        if self.settlement is not None and self.settlement not in codes:
            raise ValueError("settlement: must be the code of a participant")
        unknown = sorted(set(self.rulebook.net_debit_caps) - set(codes))
        if unknown:
            raise ValueError(f"rulebook.netDebitCaps: {unknown[0]} is no participant")
        return self
