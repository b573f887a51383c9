"""From rows and quotes to what is answered."""

from collections.abc import Mapping, Sequence
from typing import Literal, cast
from uuid import UUID

from services.commerce import contract
from services.commerce.domain import orders as domain
from services.commerce.store import orders as order_store
from services.commerce.store.tables import (
    CourseRow,
    OrderEntryRow,
    OrderLineRow,
    OrderPaymentRow,
    OrderRow,
    ProductRow,
    RefundRow,
    VariantRow,
)
from services.commerce.usecases.quoting import Quote, QuotedLine, title_of
from suuupra.amounts import Amount
from suuupra.money import Money


def course(row: CourseRow | None) -> contract.CourseOfProduct | None:
    """What a product opens."""
    return None if row is None else contract.CourseOfProduct(id=row.id, slug=row.slug, title=row.title)


def product(
    row: ProductRow,
    variants: Sequence[VariantRow],
    course_row: CourseRow | None,
    prices: Mapping[UUID, Mapping[str, Money]],
    *,
    all_variants: bool = False,
) -> contract.ProductView:
    """A product with the variants that are offered, or with all of them."""
    shown = [variant for variant in variants if variant.active or all_variants]
    return contract.ProductView(
        id=row.id,
        title=row.title,
        description=row.description,
        course=course(course_row),
        tax_permille=row.tax_permille,
        sac=row.sac,
        active=row.active,
        variants=[_variant(variant, prices.get(variant.id, {})) for variant in shown],
        version=row.version,
    )


def _variant(row: VariantRow, prices: Mapping[str, Money]) -> contract.VariantView:
    return contract.VariantView(
        id=row.id,
        title=row.title,
        prices=[Amount.of(prices[currency]) for currency in sorted(prices)],
        seats_left=None if row.capacity is None else max(0, row.capacity - row.seats),
        max_per_order=row.max_per_order,
        active=row.active,
    )


def cart(quote: Quote) -> contract.CartView:
    """A cart at present prices."""
    row, priced = quote.cart, quote.priced
    refusal = quote.coupon_refusal
    return contract.CartView(
        id=row.id,
        status=cast(Literal["open", "ordered"], row.status),
        order_id=row.order_id,
        currency=row.currency,
        lines=[_cart_line(line, row.currency) for line in quote.lines],
        coupon_code=quote.coupon.code if quote.coupon else None,
        coupon_problem=f"The coupon {refusal.rule}: {refusal.fix}." if refusal else None,
        subtotal=Amount.of(priced.subtotal),
        discount=Amount.of(priced.discount),
        tax=Amount.of(priced.tax),
        total=Amount.of(priced.total),
        orderable=quote.orderable and row.status == "open",
    )


def _cart_line(line: QuotedLine, currency: str) -> contract.CartLine:
    zero, priced, offer = Amount.of(Money.zero(currency)), line.priced, line.offer
    return contract.CartLine(
        product_id=offer.product.id,
        variant_id=offer.variant.id,
        course=course(offer.course),
        title=title_of(offer),
        quantity=line.row.quantity,
        unit=Amount.of(line.unit) if line.unit else None,
        unit_before=Amount.of(line.before) if line.before else None,
        discount=Amount.of(priced.discount) if priced else zero,
        tax=Amount.of(priced.tax) if priced else zero,
        total=Amount.of(priced.total) if priced else zero,
        problem=f"It {line.obstacle.rule}: {line.obstacle.fix}." if line.obstacle else None,
    )


def order_line(row: OrderLineRow) -> contract.OrderLine:
    """A line as it was priced."""
    return contract.OrderLine(
        product_id=row.product_id,
        variant_id=row.variant_id,
        course_id=row.course_id,
        title=row.title,
        quantity=row.quantity,
        unit_minor=row.unit,
        discount_minor=row.discount,
        tax_minor=row.tax,
        tax_permille=row.tax_permille,
        total_minor=row.total,
        sac=row.sac,
    )


def order_summary(row: OrderRow, lines: Sequence[OrderLineRow]) -> contract.OrderSummary:
    """An order in a list."""
    return contract.OrderSummary(
        id=row.id,
        number=row.number,
        user_id=row.user_id,
        status=cast(domain.Status, row.status),
        titles=[line.title for line in lines],
        total=Amount.of(Money(row.total, row.currency)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        invoice_number=row.invoice_number,
    )


def order(
    loaded: order_store.Loaded,
    lines: Sequence[OrderLineRow],
    payments: Sequence[OrderPaymentRow],
    timeline: Sequence[OrderEntryRow],
) -> contract.OrderView:
    """An order with its whole story."""
    row = loaded.row
    back, left = _refunded(loaded.order)
    return contract.OrderView(
        **order_summary(row, lines).model_dump(),
        lines=[order_line(line) for line in lines],
        coupon_code=row.coupon_code,
        subtotal=_amount(row.subtotal, row),
        discount=_amount(row.discount, row),
        tax=_amount(row.tax, row),
        payment=_payment_status(loaded.order, payments),
        payments=[_payment(payment, row) for payment in payments],
        paid_at=row.paid_at,
        refunds=[refund(one, row.currency) for one in loaded.refunds],
        refunded=_amount(back, row),
        refundable=_amount(left, row),
        timeline=[
            contract.TimelineEntry(at=entry.at, what=entry.what, text=entry.text, ids=entry.ids)
            for entry in timeline
        ],
    )


def _amount(minor: int, row: OrderRow) -> Amount:
    return Amount.of(Money(minor, row.currency))


def _refunded(order_: domain.Order) -> tuple[int, int]:
    """What of the order's payment went back, and what still may."""
    paid = domain.settled(order_)
    if paid is None:
        return 0, 0
    committed = order_.committed_minor(paid.payment_id)
    return order_.refunded_minor(paid.payment_id), max(0, order_.total_minor - committed)


def _payment_status(order_: domain.Order, payments: Sequence[OrderPaymentRow]) -> contract.PaymentStatus:
    if domain.settled(order_) is not None:
        return "succeeded"
    heard = {payment.status for payment in payments}
    if "returned" in heard:
        return "returned"
    if "failed" in heard:
        return "failed"
    return "awaited" if isinstance(order_.state, domain.PendingPayment) else "none"


def _payment(row: OrderPaymentRow, order_row: OrderRow) -> contract.OrderPayment:
    return contract.OrderPayment(
        payment_id=row.payment_id,
        status=cast(contract.PaymentStatus, row.status),
        amount=None if row.minor is None else Amount.of(Money(row.minor, row.currency or order_row.currency)),
        code=row.code,
        reason=row.reason,
        at=row.at,
    )


def refund(row: RefundRow, currency: str) -> contract.RefundView:
    """Money that goes back, or went, or cannot; `currency` is the order's."""
    return contract.RefundView(
        id=row.id,
        payment_id=row.payment_id,
        amount=Amount.of(Money(row.minor, row.currency or currency)),
        reason=cast(domain.Reason, row.reason),
        status=_refund_status(row),
        requested_at=row.requested_at,
        refunded_at=row.refunded_at,
        credit_note=row.credit_note,
        failed_at=row.failed_at,
        code=row.code,
        detail=row.detail,
    )


def _refund_status(row: RefundRow) -> Literal["requested", "done", "failed"]:
    if row.refunded_at is not None:
        return "done"
    return "requested" if row.failed_at is None else "failed"
