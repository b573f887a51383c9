"""Price lists: prices that hold for a time, before the usual ones."""

from collections.abc import Sequence
from uuid import UUID

from services.commerce.domain.pricing import STANDARD
from services.commerce.store import catalogue
from services.commerce.store.tables import PriceListRow
from services.commerce.usecases import forms
from services.commerce.usecases.problems import CodeTaken, refused
from services.commerce.usecases.products import Seller
from suuupra.amounts import Amount, AmountGiven
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import Problem, invalid, not_found
from suuupra.ids import new_id
from suuupra.money import Money


def code_taken() -> Problem:
    """Another list has the code."""
    return refused(CodeTaken, "body.code", "must be free", "choose another")


async def read_all(tx: Transaction, seller: Seller) -> forms.PriceLists:
    """The seller's lists; to an operator all."""
    rows = await catalogue.price_lists(tx, None if seller.all else seller.subject)
    return forms.PriceLists(items=await _views(tx, rows))


async def create(
    tx: Transaction, *, clock: Clock, seller: Seller, new: forms.NewPriceList
) -> forms.PriceListView:
    """Begin a list without prices. Its code must be free: `conflict` around the transaction tells."""
    if new.code.startswith(STANDARD):
        rule = f"must not begin with {STANDARD}: such lists are the platform's, and hold everybody's usual prices"
        raise invalid("body.code", rule, "choose another, such as diwali-inr")
    if new.starts_at and new.ends_at and new.ends_at <= new.starts_at:
        raise invalid("body.ends_at", "must be after starts_at", "send a later time, or leave one out")
    row = PriceListRow(id=new_id(), owner=seller.subject, created_at=clock.now(), **new.model_dump())
    tx.add(row)
    await tx.flush()
    (made,) = await _views(tx, [row])
    return made


async def set_price(
    tx: Transaction, seller: Seller, list_id: UUID, variant_id: UUID, given: AmountGiven
) -> forms.PriceListView:
    """Put a variant of the seller's on a list of theirs, in the list's currency."""
    row = await _own(tx, seller, list_id, variant_id)
    if given.currency != row.currency:
        rule = f"must be {row.currency}, the list's currency"
        raise invalid("body.currency", rule, f"send {row.currency}, or use another list")
    await catalogue.set_price(tx, row.id, variant_id, given.money.minor)
    (changed,) = await _views(tx, [row])
    return changed


async def remove_price(
    tx: Transaction, seller: Seller, list_id: UUID, variant_id: UUID
) -> forms.PriceListView:
    """Take a variant off a list: its other prices hold again."""
    row = await _own(tx, seller, list_id, variant_id)
    await catalogue.remove_price(tx, row.id, variant_id)
    await tx.flush()
    (changed,) = await _views(tx, [row])
    return changed


async def _own(tx: Transaction, seller: Seller, list_id: UUID, variant_id: UUID) -> PriceListRow:
    row = await tx.get(PriceListRow, list_id)
    if row is None or not seller.owns(row.owner):
        raise not_found("price list", list_id)
    variant = await catalogue.lock_variant(tx, variant_id)
    product = await catalogue.product(tx, variant.product_id) if variant else None
    if product is None or not seller.owns(product.owner):
        raise not_found("variant", variant_id)
    return row


async def _views(tx: Transaction, rows: Sequence[PriceListRow]) -> list[forms.PriceListView]:
    prices = await catalogue.list_prices(tx, [row.id for row in rows])
    return [
        forms.PriceListView(
            id=row.id,
            code=row.code,
            currency=row.currency,
            priority=row.priority,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            prices={
                price.variant_id: Amount.of(Money(price.minor, row.currency))
                for price in prices
                if price.price_list_id == row.id
            },
        )
        for row in rows
    ]
