"""The rail's rules: timers, limits and dates, as NPCI's circulars have them, and as a PaymentRail may set them.

Every duration is divided by `scale`, so that a demonstration need not wait 90 s for what the rules call «first check»;
the rules themselves are proven with scale 1 and a clock that tests move.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.upi_core.domain.codes import Code

INDIA: Final = timezone(timedelta(hours=5, minutes=30))
"""A day of the limits is a day in India."""
LAKH: Final = 100_000 * 100
"""₹1,00,000 in paise."""
EDUCATION: Final = frozenset({"8211", "8220", "8241", "8244", "8249", "8299"})
"""Merchant category codes of schools and courses (ISO 18245)."""

Kind = Literal["P2P", "P2M"]
Seconds = Annotated[int, Field(ge=1, le=1_000_000)]


class _Rules(BaseModel):
    """Written camelCase in a resource, and refused when a name is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Limit(_Rules):
    """How much one account may pay: a transaction, and a day. Without `mcc` it is for every merchant.

    The latest of those that are in force decides, and one that names the category before one that does not.
    """

    kind: Kind
    mcc: frozenset[str] = frozenset()
    per_transaction_minor: Annotated[int, Field(ge=1)]
    per_day_minor: Annotated[int, Field(ge=1)]
    effective_from: date = date(2016, 4, 11)

    @property
    def name(self) -> str:
        """Under which the day's sum is kept."""
        return self.kind if not self.mcc else f"{self.kind}:{min(self.mcc)}"


_LIMITS: Final = (
    Limit(kind="P2P", per_transaction_minor=LAKH, per_day_minor=LAKH),
    Limit(kind="P2M", per_transaction_minor=LAKH, per_day_minor=LAKH),
    # NPCI/UPI/OC No. 185B/2023-24: education up to ₹5 lakh; NPCI, September 2025: ₹10 lakh a day.
    Limit(
        kind="P2M",
        mcc=EDUCATION,
        per_transaction_minor=5 * LAKH,
        per_day_minor=10 * LAKH,
        effective_from=date(2024, 9, 16),
    ),
)


class Rulebook(_Rules):
    """Durations are seconds before `scale`."""

    scale: Annotated[int, Field(ge=1, le=3600)] = 1
    pay_timer: Seconds = 15
    check_timer: Seconds = 10
    reversal_timer: Seconds = 10
    val_add_timer: Seconds = 10
    first_check_after: Seconds = 90
    """NPCI asks for the first ChkTxn not before 90 s; its revised timers (2025) allow 45 to 60."""
    check_every: Seconds = 90
    check_attempts: Annotated[int, Field(ge=1, le=3)] = 3
    check_within: Seconds = 7200
    """After two hours no ChkTxn is sent: what is still not known is for the dispute cycle."""
    reversal_within: Seconds = 7200
    complete_within: Seconds = 300
    """A debit that turns out to have happened later than this is taken back instead of credited."""
    heartbeat_every: Seconds = 30
    per_day_count: Annotated[int, Field(ge=1)] = 20
    limits: tuple[Limit, ...] = _LIMITS
    net_debit_caps: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """Bank → by how much (paise) it may have paid more than it received today; none: no cap."""
    risk_declines_from: Annotated[int, Field(ge=1, le=101)] = 91
    """Risk scores of the payer's PSP from which a payment is declined (U16)."""
    collect_until: date | None = date(2025, 10, 1)
    """From this day on collect requests are refused (NPCI, 2025); None: they are open."""
    collect_minutes: Annotated[int, Field(ge=1, le=64_800)] = 30
    """How long the payer may approve a collect request that names no end itself; what follows counts from then on."""
    dispute_days: Annotated[int, Field(ge=1)] = 45
    """UDIR: until when a dispute may be raised. Days are not scaled."""

    def scaled(self, seconds: int) -> timedelta:
        return timedelta(seconds=seconds) / self.scale

    @property
    def completion(self) -> timedelta:
        """Within which a debit is still credited: never less than the steps before it may take by their own timers."""
        return self.scaled(max(self.complete_within, 3 * self.pay_timer))

    def limit_for(self, kind: Kind, mcc: str, on: date) -> Limit:
        """The limit in force on a day. Raises LookupError when the rulebook has none."""
        fitting = [
            limit
            for limit in self.limits
            if limit.kind == kind and (not limit.mcc or mcc in limit.mcc) and limit.effective_from <= on
        ]
        if not fitting:
            raise LookupError(f"the rulebook has no limit for {kind} on {on}")
        return max(fitting, key=lambda limit: (bool(limit.mcc), limit.effective_from))

    def takes_collect(self, on: date) -> bool:
        return self.collect_until is None or on < self.collect_until

    def too_risky(self, score: int) -> bool:
        return score >= self.risk_declines_from


def day_of(moment: datetime) -> date:
    """The day in India."""
    return moment.astimezone(INDIA).date()


def kind_of(payee_type: str) -> Kind:
    return "P2M" if payee_type == "ENTITY" else "P2P"


def over_cap(limit: Limit, amount_minor: int) -> Code | None:
    """U02 when one transaction may not be that large."""
    return Code.AMOUNT_CAP if amount_minor > limit.per_transaction_minor else None


def over_day(rules: Rulebook, limit: Limit, spent_minor: int, count: int, amount_minor: int) -> Code | None:
    """What forbids one more payment today: U02 the sum, Z7 their number."""
    if count >= rules.per_day_count:
        return Code.FREQUENCY
    return Code.AMOUNT_CAP if spent_minor + amount_minor > limit.per_day_minor else None


def rrn_of(at: datetime, number: int) -> str:
    """A retrieval reference number: last digit of the year, day of the year, hour (UTC), and six digits of a counter.

    Unique as long as fewer than a million transactions are made in an hour, which the database holds it to.
    """
    utc = at.astimezone(UTC)
    return f"{utc.year % 10}{utc.timetuple().tm_yday:03d}{utc.hour:02d}{number % 1_000_000:06d}"
