"""Products, variants, prices and what is known of courses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text, tuple_
from sqlmodel import col, select

from services.commerce.domain import pricing
from services.commerce.store.tables import CourseRow, PriceListRow, PriceRow, ProductRow, VariantRow
from suuupra.db import Transaction
from suuupra.money import Money

_CURRENT: Final = text("""
SELECT DISTINCT ON (p.variant_id, l.currency) p.variant_id, l.currency, p.minor
FROM price p JOIN price_list l ON l.id = p.price_list_id
WHERE p.variant_id = ANY(:variants)
  AND (l.starts_at IS NULL OR l.starts_at <= :now) AND (l.ends_at IS NULL OR l.ends_at > :now)
ORDER BY p.variant_id, l.currency, l.priority DESC, l.created_at DESC, l.id DESC
""")
_HOLD: Final = text("""
UPDATE variant SET seats = seats + :quantity
WHERE id = :id AND capacity IS NOT NULL AND seats + :quantity <= capacity
""")
_RELEASE: Final = text("UPDATE variant SET seats = seats - :quantity WHERE id = :id")
_LEARNED: Final = text("""
INSERT INTO course AS c (id, slug, title, owner, revision, published, changed_at)
VALUES (:id, :slug, :title, :owner, :revision, true, :at)
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, title = excluded.title, owner = excluded.owner,
    revision = excluded.revision, published = true, changed_at = excluded.changed_at
WHERE c.changed_at <= excluded.changed_at
""")
_WITHDRAWN: Final = text(
    "UPDATE course SET published = false, changed_at = :at WHERE id = :id AND changed_at <= :at"
)
_SET_PRICE: Final = text("""
INSERT INTO price (price_list_id, variant_id, minor) VALUES (:list, :variant, :minor)
ON CONFLICT (variant_id, price_list_id) DO UPDATE SET minor = excluded.minor
""")
_STANDARD: Final = text("""
INSERT INTO price_list (id, owner, code, currency, priority, created_at)
VALUES (:id, NULL, :code, :currency, 0, :now) ON CONFLICT (code) DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant with its product, its course, and its prices now by currency."""

    variant: VariantRow
    product: ProductRow
    course: CourseRow | None
    prices: dict[str, Money]

    @property
    def for_sale(self) -> bool:
        """Whether it may be bought at all."""
        published = self.course is None or self.course.published
        return self.variant.active and self.product.active and published

    @property
    def seats_left(self) -> int | None:
        """None when seats are not limited."""
        capacity = self.variant.capacity
        return None if capacity is None else max(0, capacity - self.variant.seats)


async def prices(tx: Transaction, variants: Collection[UUID], now: datetime) -> dict[UUID, dict[str, Money]]:
    """Each variant's prices at `now`, by currency: of the lists that hold then the one with the highest priority."""
    found: dict[UUID, dict[str, Money]] = {variant: {} for variant in variants}
    rows = await tx.execute(_CURRENT, {"variants": list(variants), "now": now})
    for variant, currency, minor in rows.all():
        found[variant][currency] = Money(minor, currency)
    return found


async def offers(tx: Transaction, variant_ids: Collection[UUID], now: datetime) -> dict[UUID, Offer]:
    """What is offered under these ids; what is not there is left out."""
    query = (
        select(VariantRow, ProductRow, CourseRow)
        .join(ProductRow, col(ProductRow.id) == VariantRow.product_id)
        .join(CourseRow, col(CourseRow.id) == ProductRow.course_id, isouter=True)
        .where(col(VariantRow.id).in_(variant_ids))
    )
    rows = (await tx.exec(query)).all()
    current = await prices(tx, [variant.id for variant, _, _ in rows], now)
    return {
        variant.id: Offer(variant, product, course, current[variant.id]) for variant, product, course in rows
    }


async def product(tx: Transaction, product_id: UUID, *, lock: bool = False) -> ProductRow | None:
    """A product; to be changed when `lock`."""
    query = select(ProductRow).where(ProductRow.id == product_id)
    return (await tx.exec(query.with_for_update() if lock else query)).one_or_none()


async def variants(tx: Transaction, product_ids: Collection[UUID]) -> Sequence[VariantRow]:
    """The variants of products, in order."""
    query = select(VariantRow).where(col(VariantRow.product_id).in_(product_ids))
    return (await tx.exec(query.order_by(col(VariantRow.position), col(VariantRow.id)))).all()


async def lock_variant(tx: Transaction, variant_id: UUID) -> VariantRow | None:
    """A variant, to be changed: orders that hold seats wait."""
    query = select(VariantRow).where(VariantRow.id == variant_id).with_for_update()
    return (await tx.exec(query)).one_or_none()


async def courses(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, CourseRow]:
    """What is known of courses."""
    rows = (await tx.exec(select(CourseRow).where(col(CourseRow.id).in_(ids)))).all()
    return {row.id: row for row in rows}


async def products(
    tx: Transaction,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    course_id: UUID | None = None,
    owner: str | None = None,
) -> Sequence[ProductRow]:
    """Products, the newest first: those for sale, or with `owner` all of theirs."""
    query = select(ProductRow)
    if course_id is not None:
        query = query.where(ProductRow.course_id == course_id)
    if owner is not None:
        query = query.where(ProductRow.owner == owner)
    else:
        query = query.join(CourseRow, col(CourseRow.id) == ProductRow.course_id, isouter=True).where(
            col(ProductRow.active), col(CourseRow.id).is_(None) | col(CourseRow.published)
        )
    if after is not None:
        query = query.where(tuple_(col(ProductRow.created_at), col(ProductRow.id)) < after)
    order = (col(ProductRow.created_at).desc(), col(ProductRow.id).desc())
    return (await tx.exec(query.order_by(*order).limit(limit))).all()


async def hold_seats(tx: Transaction, variant_id: UUID, quantity: int) -> bool:
    """Take seats of a limited variant; False when there are not so many left. Callers go by ascending id."""
    held = await tx.execute(_HOLD, {"id": variant_id, "quantity": quantity})
    return bool(held.rowcount)  # type: ignore[attr-defined]


async def release_seats(tx: Transaction, variant_id: UUID, quantity: int) -> None:
    """Give seats back. Callers go by ascending id."""
    await tx.execute(_RELEASE, {"id": variant_id, "quantity": quantity})


async def learn_course(
    tx: Transaction, course_id: UUID, slug: str, title: str, owner: str, revision: int, at: datetime
) -> None:
    """Keep what content published of a course, unless something newer is known."""
    values = {"id": course_id, "slug": slug, "title": title, "owner": owner, "revision": revision, "at": at}
    await tx.execute(_LEARNED, values)


async def withdraw_course(tx: Transaction, course_id: UUID, at: datetime) -> None:
    """The course is no longer shown, unless something newer is known."""
    await tx.execute(_WITHDRAWN, {"id": course_id, "at": at})


async def standard_list(tx: Transaction, currency: str, id_: UUID, now: datetime) -> UUID | None:
    """The list that holds everybody's usual prices in a currency; made as `id_` when it is not there.

    None when another list has its code: one of somebody's own, or of another currency, holds nobody else's prices.
    """
    code = pricing.standard_code(currency)
    await tx.execute(_STANDARD, {"id": id_, "code": code, "currency": currency, "now": now})
    query = select(PriceListRow.id).where(
        PriceListRow.code == code, PriceListRow.currency == currency, col(PriceListRow.owner).is_(None)
    )
    return (await tx.exec(query)).one_or_none()


async def set_price(tx: Transaction, list_id: UUID, variant_id: UUID, minor: int) -> None:
    """A variant's price on a list."""
    await tx.execute(_SET_PRICE, {"list": list_id, "variant": variant_id, "minor": minor})


async def remove_price(tx: Transaction, list_id: UUID, variant_id: UUID) -> None:
    """Take a variant off a list."""
    row = await tx.get(PriceRow, (variant_id, list_id))
    if row is not None:
        await tx.delete(row)


async def price_lists(tx: Transaction, owner: str | None) -> Sequence[PriceListRow]:
    """The lists of an owner, or with None all; the newest first."""
    query = select(PriceListRow)
    if owner is not None:
        query = query.where(PriceListRow.owner == owner)
    return (await tx.exec(query.order_by(col(PriceListRow.created_at).desc()).limit(200))).all()


async def list_prices(tx: Transaction, list_ids: Collection[UUID]) -> Sequence[PriceRow]:
    """Every price on these lists."""
    return (await tx.exec(select(PriceRow).where(col(PriceRow.price_list_id).in_(list_ids)))).all()
