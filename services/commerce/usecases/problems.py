"""What commerce refuses, as problems with a name; each tells field, rule and fix."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from suuupra.errors import Conflict, FieldError, Forbidden, Problem


class CartNotOrderable(Conflict):
    """Something in the cart cannot be bought as it stands."""

    slug, title = "cart-not-orderable", "The cart cannot be ordered as it is"


class PriceChanged(Conflict):
    """The buyer was shown another price."""

    slug, title = "price-changed", "A price changed since it was shown"


class SoldOut(Conflict):
    """No seats are left."""

    slug, title = "sold-out", "There are not so many seats left"


class CouponRefused(Conflict):
    """The coupon may not be used."""

    slug, title = "coupon-refused", "The coupon cannot be used"


class AlreadyYours(Conflict):
    """The user has what they want to buy."""

    slug, title = "already-yours", "You have this already"


class AlreadyOrdered(Conflict):
    """An order of theirs that waits for its payment holds it. The problem tells `order_id`."""

    slug, title = "already-ordered", "You have ordered this already"

    def __init__(self, order_id: UUID, errors: Sequence[FieldError]) -> None:
        super().__init__(
            f"Your order {order_id} waits for its payment and holds some of this.", errors=list(errors)
        )
        self.order_id = order_id

    def body(self, *, instance: str, request_id: str | None) -> dict[str, Any]:
        """The problem document, with the order to go on with."""
        return {**super().body(instance=instance, request_id=request_id), "order_id": str(self.order_id)}


class WrongState(Conflict):
    """The order is past that."""

    slug, title = "wrong-state", "The order is past that"


class CodeTaken(Conflict):
    """Another coupon or price list has that code."""

    slug, title = "code-taken", "This code is taken"


class CartOrdered(Conflict):
    """The cart became an order before: a second click, another tab. The problem tells `order_id`."""

    slug, title = "cart-ordered", "This cart was ordered before"

    def __init__(self, order_id: UUID) -> None:
        error = FieldError(
            "body.cart_id", "must be a cart that was not ordered", f"go on with the order {order_id}"
        )
        super().__init__(f"The cart became the order {order_id}.", errors=[error])
        self.order_id = order_id

    def body(self, *, instance: str, request_id: str | None) -> dict[str, Any]:
        """The problem document, with the order to go on with."""
        return {**super().body(instance=instance, request_id=request_id), "order_id": str(self.order_id)}


def refused(kind: type[Problem], field: str, rule: str, fix: str) -> Problem:
    """One field that stands against what is there."""
    return kind(f"{field} {rule}.", errors=[FieldError(field, rule, fix)])


def several(kind: type[Problem], detail: str, errors: Sequence[FieldError]) -> Problem:
    """Several things to put right at once."""
    return kind(detail, errors=errors)


def no_user() -> Problem:
    """The token is not a person's but a client's, whose subject is no UUID."""
    error = FieldError(
        "header.Authorization", "must be the token of a user, whose subject is a UUID", "sign in as a user"
    )
    return Forbidden("Only users have carts, orders and courses.", errors=[error])
