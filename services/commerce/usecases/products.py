"""What sellers offer: products, their variants and usual prices. Sellers see and change only their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.commerce import contract
from services.commerce.domain.pricing import standard_code
from services.commerce.store import catalogue
from services.commerce.store.tables import ProductRow, VariantRow
from services.commerce.usecases import forms, views
from services.commerce.usecases.problems import CodeTaken, WrongState, refused
from suuupra.amounts import AmountGiven
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import Problem, invalid, not_found
from suuupra.etags import Precondition
from suuupra.ids import new_id


@dataclass(frozen=True, slots=True)
class Seller:
    """Who offers. `all`: an operator, to whom everything is their own."""

    subject: str
    all: bool

    def owns(self, owner: str | None) -> bool:
        """Whether what has that owner is theirs to change."""
        return self.all or self.subject == owner


async def view(
    tx: Transaction, rows: Sequence[ProductRow], now: datetime, *, all_variants: bool = False
) -> list[contract.ProductView]:
    """Products with their variants and present prices."""
    variants = await catalogue.variants(tx, [row.id for row in rows])
    prices = await catalogue.prices(tx, [variant.id for variant in variants], now)
    courses = await catalogue.courses(tx, [row.course_id for row in rows if row.course_id])
    return [
        views.product(
            row,
            [variant for variant in variants if variant.product_id == row.id],
            courses.get(row.course_id) if row.course_id else None,
            prices,
            all_variants=all_variants,
        )
        for row in rows
    ]


async def read(
    tx: Transaction, product_id: UUID, now: datetime, seller: Seller | None
) -> contract.ProductView:
    """A product that is for sale, or that is the seller's own."""
    row = await catalogue.product(tx, product_id)
    own = row is not None and seller is not None and seller.owns(row.owner)
    if row is None or not (own or row.active):
        raise not_found("product", product_id)
    (shown,) = await view(tx, [row], now, all_variants=own)
    return shown


async def create(
    tx: Transaction, *, clock: Clock, seller: Seller, new: forms.NewProduct
) -> contract.ProductView:
    """Offer a product. The course it opens must be published and the seller's own."""
    now = clock.now()
    await _require_course(tx, new.course_id, seller)
    row = ProductRow(
        id=new_id(),
        owner=seller.subject,
        created_at=now,
        updated_at=now,
        **new.model_dump(exclude={"variants"}),
    )
    tx.add(row)
    await tx.flush()
    for position, variant in enumerate(new.variants):
        await _add(tx, row.id, position, variant, now, f"body.variants[{position}]")
    (made,) = await view(tx, [row], now, all_variants=True)
    return made


async def _require_course(tx: Transaction, course_id: UUID | None, seller: Seller) -> None:
    if course_id is None:
        return
    course = (await catalogue.courses(tx, [course_id])).get(course_id)
    if course is None or not course.published or not seller.owns(course.owner):
        rule = "must be a published course of yours"
        raise invalid("body.course_id", rule, "publish the course, and ask again a moment later")


async def _add(
    tx: Transaction, product_id: UUID, position: int, new: forms.NewVariant, now: datetime, where: str
) -> None:
    row = VariantRow(
        id=new_id(),
        product_id=product_id,
        position=position,
        title=new.title,
        capacity=new.capacity,
        max_per_order=new.max_per_order,
    )
    tx.add(row)
    await tx.flush()
    await _set_prices(tx, row.id, new.prices, now, where)


async def _set_prices(
    tx: Transaction, variant_id: UUID, prices: Sequence[AmountGiven], now: datetime, where: str
) -> None:
    currencies = [price.currency for price in prices]
    if len(set(currencies)) < len(currencies):
        raise invalid(f"{where}.prices", "must have one price for each currency", "leave out the others")
    for price in sorted(prices, key=lambda price: price.currency):
        standard = await catalogue.standard_list(tx, price.currency, new_id(), now)
        if standard is None:
            raise _no_standard_list(price.currency, f"{where}.prices")
        await catalogue.set_price(tx, standard, variant_id, price.money.minor)


def _no_standard_list(currency: str, field: str) -> Problem:
    code = standard_code(currency)
    rule = f"cannot be kept in {currency}: the price list {code} is not the platform's of that currency"
    return refused(
        CodeTaken, field, rule, "leave that currency out, or have an operator free the code and send it again"
    )


async def change(
    tx: Transaction,
    clock: Clock,
    seller: Seller,
    product_id: UUID,
    changes: forms.ProductChanges,
    match: Precondition,
) -> contract.ProductView:
    """Change what is said of a product. Orders that were made keep what they were made with."""
    row = await _own(tx, seller, product_id, match)
    for name, value in changes.model_dump(exclude_none=True).items():
        setattr(row, name, value)
    return await _changed(tx, row, clock)


async def add_variant(
    tx: Transaction, *, clock: Clock, seller: Seller, product_id: UUID, new: forms.NewVariant
) -> contract.ProductView:
    """Offer another way to buy a product."""
    row = await _own(tx, seller, product_id, None)
    position = len(await catalogue.variants(tx, [product_id]))
    if position >= forms.MOST_VARIANTS:
        rule = f"must leave the product with at most {forms.MOST_VARIANTS} variants"
        raise refused(WrongState, "path.product_id", rule, "change one that is there")
    await _add(tx, product_id, position, new, clock.now(), "body")
    return await _changed(tx, row, clock)


async def change_variant(
    tx: Transaction,
    clock: Clock,
    seller: Seller,
    product_id: UUID,
    variant_id: UUID,
    changes: forms.VariantChanges,
    match: Precondition,
) -> contract.ProductView:
    """Change a variant, its usual prices among it: carts that show the old ones are told at checkout."""
    row = await _own(tx, seller, product_id, match)
    variant = await catalogue.lock_variant(tx, variant_id)
    if variant is None or variant.product_id != product_id:
        raise not_found("variant", variant_id)
    _resize(variant, changes)
    for name in ("title", "max_per_order", "active"):
        if (value := getattr(changes, name)) is not None:
            setattr(variant, name, value)
    if changes.prices is not None:
        await _set_prices(tx, variant_id, changes.prices, clock.now(), "body")
    return await _changed(tx, row, clock)


def _resize(variant: VariantRow, changes: forms.VariantChanges) -> None:
    """Seats are counted from the first order on only where they are limited, so a limit neither comes nor goes later."""
    if changes.capacity is None:
        return
    if variant.capacity is None:
        rule = "must stay without a limit: what was sold before was not counted"
        raise refused(WrongState, "body.capacity", rule, "offer another variant with so many seats")
    if changes.capacity < variant.seats:
        rule = f"must be at least {variant.seats}, the seats that are held or sold"
        raise refused(WrongState, "body.capacity", rule, f"send {variant.seats} or more")
    variant.capacity = changes.capacity


async def _own(tx: Transaction, seller: Seller, product_id: UUID, match: Precondition | None) -> ProductRow:
    row = await catalogue.product(tx, product_id, lock=True)
    if row is None or not seller.owns(row.owner):
        raise not_found("product", product_id)
    if match is not None:
        match.require(row.version)
    return row


async def _changed(tx: Transaction, row: ProductRow, clock: Clock) -> contract.ProductView:
    row.version += 1
    row.updated_at = clock.now()
    await tx.flush()
    (changed,) = await view(tx, [row], clock.now(), all_variants=True)
    return changed
