"""The tables, as migrations made them. Nothing outside store/ and usecases/ sees these classes."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

_INSTANT: Any = DateTime(timezone=True)


class Table(SQLModel):
    """Base of this service's tables: several services' tests run in one process, and names may be equal."""

    metadata: ClassVar[MetaData] = MetaData()


class CourseRow(Table, table=True):
    """What content said of a course."""

    __tablename__: ClassVar[Any] = "course"

    id: UUID = Field(primary_key=True)
    slug: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    owner: str = Field(sa_type=Text)
    revision: int
    published: bool
    changed_at: datetime = Field(sa_type=_INSTANT)


class ProductRow(Table, table=True):
    """Something for sale."""

    __tablename__: ClassVar[Any] = "product"

    id: UUID = Field(primary_key=True)
    owner: str = Field(sa_type=Text)
    course_id: UUID | None = None
    title: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    tax_permille: int
    sac: str = Field(sa_type=Text)
    active: bool
    version: int = 1
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)


class VariantRow(Table, table=True):
    """One way to buy a product; `seats` counts those held and sold, of `capacity`."""

    __tablename__: ClassVar[Any] = "variant"

    id: UUID = Field(primary_key=True)
    product_id: UUID
    position: int
    title: str = Field(sa_type=Text)
    capacity: int | None = None
    seats: int = 0
    max_per_order: int = 1
    active: bool = True


class PriceListRow(Table, table=True):
    """Prices in one currency that hold for a time."""

    __tablename__: ClassVar[Any] = "price_list"

    id: UUID = Field(primary_key=True)
    owner: str | None = Field(default=None, sa_type=Text)
    code: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    priority: int
    starts_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    ends_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    created_at: datetime = Field(sa_type=_INSTANT)


class PriceRow(Table, table=True):
    """A variant's price on a list, tax included."""

    __tablename__: ClassVar[Any] = "price"

    variant_id: UUID = Field(primary_key=True)
    price_list_id: UUID = Field(primary_key=True)
    minor: int = Field(sa_type=BigInteger)


class CouponRow(Table, table=True):
    """A coupon."""

    __tablename__: ClassVar[Any] = "coupon"

    id: UUID = Field(primary_key=True)
    owner: str = Field(sa_type=Text)
    platform: bool
    code: str = Field(sa_type=Text)
    permille: int | None = None
    minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = Field(default=None, sa_type=Text)
    product_ids: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid), nullable=True))
    starts_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    ends_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    max_uses: int | None = None
    per_user: int | None = None
    used: int = 0
    active: bool = True
    version: int = 1
    created_at: datetime = Field(sa_type=_INSTANT)


class CartRow(Table, table=True):
    """A cart; anonymous while it has no user."""

    __tablename__: ClassVar[Any] = "cart"

    id: UUID = Field(primary_key=True)
    user_id: UUID | None = None
    currency: str = Field(sa_type=Text)
    coupon_id: UUID | None = None
    status: str = Field(default="open", sa_type=Text)
    order_id: UUID | None = None
    merged_into: UUID | None = None
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)


class CartLineRow(Table, table=True):
    """So many of a variant; `minor` is the unit price that the buyer was shown."""

    __tablename__: ClassVar[Any] = "cart_line"

    cart_id: UUID = Field(primary_key=True)
    variant_id: UUID = Field(primary_key=True)
    quantity: int
    minor: int = Field(sa_type=BigInteger)
    added_at: datetime = Field(sa_type=_INSTANT)


class OrderRow(Table, table=True):
    """An order; amounts in minor units of `currency`."""

    __tablename__: ClassVar[Any] = "orders"

    id: UUID = Field(primary_key=True)
    number: str = Field(sa_type=Text)
    user_id: UUID
    cart_id: UUID
    currency: str = Field(sa_type=Text)
    subtotal: int = Field(sa_type=BigInteger)
    discount: int = Field(sa_type=BigInteger)
    tax: int = Field(sa_type=BigInteger)
    total: int = Field(sa_type=BigInteger)
    coupon_code: str | None = Field(default=None, sa_type=Text)
    status: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)
    expires_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    ended_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    payment_id: UUID | None = None
    paid_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    invoice_number: str | None = Field(default=None, sa_type=Text)


class OrderLineRow(Table, table=True):
    """A line as it was priced; `seats` it holds or has, of a limited variant."""

    __tablename__: ClassVar[Any] = "order_line"

    order_id: UUID = Field(primary_key=True)
    position: int = Field(primary_key=True)
    product_id: UUID
    variant_id: UUID
    course_id: UUID | None = None
    title: str = Field(sa_type=Text)
    quantity: int
    unit: int = Field(sa_type=BigInteger)
    discount: int = Field(sa_type=BigInteger)
    tax: int = Field(sa_type=BigInteger)
    tax_permille: int
    total: int = Field(sa_type=BigInteger)
    sac: str = Field(sa_type=Text)
    seats: int = 0


class CouponUseRow(Table, table=True):
    """An order that stands and uses a coupon."""

    __tablename__: ClassVar[Any] = "coupon_use"

    order_id: UUID = Field(primary_key=True)
    coupon_id: UUID
    user_id: UUID
    used_at: datetime = Field(sa_type=_INSTANT)


class OrderPaymentRow(Table, table=True):
    """What was heard of a payment."""

    __tablename__: ClassVar[Any] = "order_payment"

    payment_id: UUID = Field(primary_key=True)
    order_id: UUID
    status: str = Field(sa_type=Text)
    minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = Field(default=None, sa_type=Text)
    code: str | None = Field(default=None, sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    at: datetime = Field(sa_type=_INSTANT)


class RefundRow(Table, table=True):
    """Money that goes back; went, when `refunded_at` is set, and cannot, when `failed_at` is."""

    __tablename__: ClassVar[Any] = "refund"

    id: UUID = Field(primary_key=True)
    order_id: UUID
    payment_id: UUID
    minor: int = Field(sa_type=BigInteger)
    currency: str | None = Field(default=None, sa_type=Text)
    reason: str = Field(sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = Field(sa_type=_INSTANT)
    refunded_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    credit_note: str | None = Field(default=None, sa_type=Text)
    failed_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    code: str | None = Field(default=None, sa_type=Text)
    detail: str | None = Field(default=None, sa_type=Text)


class OrderEntryRow(Table, table=True):
    """Something that happened to an order."""

    __tablename__: ClassVar[Any] = "order_entry"

    order_id: UUID = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    at: datetime = Field(sa_type=_INSTANT)
    what: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    ids: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))


class EntitlementRow(Table, table=True):
    """A grant; it stands until `revoked_at`."""

    __tablename__: ClassVar[Any] = "entitlement"

    user_id: UUID = Field(primary_key=True)
    course_id: UUID = Field(primary_key=True)
    order_id: UUID = Field(primary_key=True)
    granted_at: datetime = Field(sa_type=_INSTANT)
    revoked_at: datetime | None = Field(default=None, sa_type=_INSTANT)
