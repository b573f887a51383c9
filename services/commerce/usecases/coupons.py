"""Coupons, as sellers make and change them."""

from uuid import UUID

from services.commerce.store import coupons as store
from services.commerce.store.tables import CouponRow
from services.commerce.usecases import forms
from services.commerce.usecases.problems import CodeTaken, WrongState, refused
from services.commerce.usecases.products import Seller
from suuupra.amounts import Amount
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import Forbidden, Problem, invalid, not_found
from suuupra.etags import Precondition
from suuupra.ids import new_id
from suuupra.money import Money


def code_taken() -> Problem:
    """Another coupon has the code."""
    return refused(CodeTaken, "body.code", "must be free", "choose another")


def view(row: CouponRow) -> forms.CouponView:
    """A coupon, to its seller."""
    amount = Amount.of(Money(row.minor, row.currency)) if row.minor and row.currency else None
    return forms.CouponView(
        amount=amount, **row.model_dump(exclude={"minor", "currency", "owner", "created_at"})
    )


async def create(tx: Transaction, *, clock: Clock, seller: Seller, new: forms.NewCoupon) -> forms.CouponView:
    """Make a coupon. Its code must be free: `conflict` around the transaction tells."""
    _require(new, seller)
    row = CouponRow(
        id=new_id(),
        owner=seller.subject,
        code=new.code.upper(),
        minor=new.amount.money.minor if new.amount else None,
        currency=new.amount.currency if new.amount else None,
        created_at=clock.now(),
        **new.model_dump(exclude={"code", "amount"}),
    )
    tx.add(row)
    await tx.flush()
    return view(row)


def _require(new: forms.NewCoupon, seller: Seller) -> None:
    if (new.permille is None) == (new.amount is None):
        raise invalid("body", "must have either permille or amount", "say one of them")
    if new.amount is not None and new.amount.money.minor == 0:
        raise invalid("body.amount.amount", "must be more than nothing", "send more than 0")
    if new.starts_at and new.ends_at and new.ends_at <= new.starts_at:
        raise invalid("body.ends_at", "must be after starts_at", "send a later time, or leave one out")
    if new.platform and not seller.all:
        raise refused(Forbidden, "body.platform", "must be false, except to operators", "leave it out")


async def read(tx: Transaction, seller: Seller, coupon_id: UUID) -> forms.CouponView:
    """A coupon of the seller's."""
    return view(await _own(tx, seller, coupon_id))


async def change(
    tx: Transaction, seller: Seller, coupon_id: UUID, changes: forms.CouponChanges, match: Precondition
) -> forms.CouponView:
    """Change when and how often a coupon may be used. What it takes off never changes: make another."""
    row = await _own(tx, seller, coupon_id, lock=True)
    match.require(row.version)
    if changes.max_uses is not None and changes.max_uses < row.used:
        rule = f"must be at least {row.used}, its uses so far"
        raise refused(WrongState, "body.max_uses", rule, f"send {row.used} or more, or make it inactive")
    for name, value in changes.model_dump(exclude_none=True).items():
        setattr(row, name, value)
    if row.starts_at and row.ends_at and row.ends_at <= row.starts_at:
        raise invalid("body.ends_at", "must be after starts_at", "send a later time")
    row.version += 1
    await tx.flush()
    return view(row)


async def _own(tx: Transaction, seller: Seller, coupon_id: UUID, *, lock: bool = False) -> CouponRow:
    row = await store.by_id(tx, coupon_id, lock=lock)
    if row is None or not seller.owns(row.owner):
        raise not_found("coupon", coupon_id)
    return row
