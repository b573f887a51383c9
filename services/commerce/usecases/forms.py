"""What sellers send and are answered: products, price lists, coupons. What buyers see is in contract.py."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.commerce.contract import CouponCode, Quantity
from suuupra import fields
from suuupra.amounts import Amount, AmountGiven, Currency

MOST_VARIANTS = 20
"""Of one product."""
PerMille = Annotated[int, Field(ge=0, le=1000)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewVariant(_Request):
    """A variant to offer. `capacity`: seats, when they are limited."""

    title: fields.Title
    prices: Annotated[list[AmountGiven], Field(min_length=1, max_length=20)]
    capacity: fields.Count | None = None
    max_per_order: Quantity = 1


class NewProduct(_Request):
    """A product with its variants. `course_id`: a published course of the caller's."""

    title: fields.Title
    description: fields.Text = ""
    course_id: UUID | None = None
    tax_permille: PerMille = 180
    sac: Annotated[str, Field(pattern=r"^[0-9]{6}$", description="Service accounting code (GST).")] = "999293"
    active: bool = True
    variants: Annotated[list[NewVariant], Field(min_length=1, max_length=MOST_VARIANTS)]


class ProductChanges(_Request):
    """What to change; what is left out stays."""

    title: fields.Title | None = None
    description: fields.Text | None = None
    tax_permille: PerMille | None = None
    active: bool | None = None


class VariantChanges(_Request):
    """What to change; what is left out stays. A variant without a limit of seats never gets one, and one keeps its."""

    title: fields.Title | None = None
    prices: Annotated[list[AmountGiven], Field(max_length=20)] | None = None
    capacity: fields.Count | None = None
    max_per_order: Quantity | None = None
    active: bool | None = None


class NewPriceList(_Request):
    """Prices that hold for a time, before those of lists with a lower priority (the standard prices have 0)."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9-]{3,40}$", examples=["diwali-inr"])]
    currency: Currency
    priority: Annotated[int, Field(ge=1, le=1000)] = 10
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None


class PriceListView(_Model):
    """A price list and what is on it."""

    id: UUID
    code: str
    currency: str
    priority: int
    starts_at: datetime | None
    ends_at: datetime | None
    prices: dict[UUID, Amount] = Field(description="By variant.")


class _CouponRules(_Request):
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    max_uses: Annotated[int, Field(ge=1, le=fields.GREATEST_COUNT)] | None = None


class NewCoupon(_CouponRules):
    """A coupon: either `permille` off or `amount` off. Without `product_ids` it is for all products of the caller's.

    `per_user`: how often each learner may use it; null is without limit. `platform`: for everybody's products
    (operators only).
    """

    code: CouponCode
    permille: Annotated[int, Field(ge=1, le=1000)] | None = None
    amount: AmountGiven | None = None
    product_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    per_user: Annotated[int, Field(ge=1, le=1000)] | None = 1
    platform: bool = False


class CouponChanges(_CouponRules):
    """What to change; what is left out stays."""

    active: bool | None = None


class CouponView(_Model):
    """A coupon. `used` counts orders that stand."""

    id: UUID
    code: str
    permille: int | None
    amount: Amount | None
    product_ids: list[UUID] | None
    platform: bool
    starts_at: datetime | None
    ends_at: datetime | None
    max_uses: int | None
    per_user: int | None
    used: int
    active: bool
    version: int


class PriceLists(_Model):
    """Price lists, the newest first."""

    items: list[PriceListView]
