"""What the double of commerce refuses, word for word as commerce does: test_with_commerce.py compares them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import httpx

from services.commerce.contract import CartView
from services.web.tests.switchboard import problem
from suuupra.amounts import Amount, AmountGiven
from suuupra.money import Money


def cart_ordered(order: UUID | None) -> httpx.Response:
    """The cart became an order before."""
    error = {
        "field": "body.cart_id",
        "rule": "must be a cart that was not ordered",
        "fix": f"go on with the order {order}",
    }
    detail = f"The cart became the order {order}."
    return problem(409, "cart-ordered", detail, errors=[error], order_id=str(order))


def two_currencies(own: str) -> httpx.Response:
    """A cart to be claimed and the person's own have something in them, in different currencies."""
    rule = f"must be a cart in {own}, as your open cart, while something is in both"
    fix = "order or empty one of the two, then claim it again"
    return problem(409, "cart-not-orderable", rule, "path.cart_id", fix)


def of_prices(cart: CartView, shown: AmountGiven | None) -> httpx.Response | None:
    """A price is not the one that was shown."""
    errors = [
        {
            "field": f"cart.lines.{line.variant_id}",
            "rule": f"was {_exact(line.unit_before)} when it was put into the cart and is {_exact(line.unit)} now",
            "fix": "put the line again to accept the price, or take it out",
        }
        for line in cart.lines
        if line.unit_before and line.unit
    ]
    if errors:
        detail = "A price changed since it was shown; nothing was ordered."
        return problem(409, "price-changed", detail, errors=errors)
    if shown is not None and shown.currency != cart.total.currency:
        rule = f"must be in {cart.total.currency}, the cart's currency"
        return problem(422, "invalid", rule, "body.total.currency", f"send {cart.total.currency}")
    if shown is not None and shown.money.minor != cart.total.minor:
        rule = f"must be the cart's present total, {_exact(cart.total)}"
        return problem(409, "price-changed", rule, "body.total", "show the cart again and ask the buyer")
    return None


def already_ordered(orders: Mapping[UUID, UUID]) -> httpx.Response:
    """Orders that wait for their payment hold variants of the cart."""
    errors = [
        {
            "field": f"cart.lines.{variant}",
            "rule": f"must not be in an order of yours that waits for its payment; {order} holds it",
            "fix": "pay or cancel that order, or take it out of the cart",
        }
        for variant, order in orders.items()
    ]
    first = next(iter(orders.values()))
    detail = f"Your order {first} waits for its payment and holds some of this."
    return problem(409, "already-ordered", detail, errors=errors, order_id=str(first))


def _exact(amount: Amount) -> Money:
    return Money(amount.minor, amount.currency)
