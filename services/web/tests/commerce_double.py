"""Commerce's side of the wire, with the contract's own models: products, carts, orders, rights."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from services.commerce.contract import (
    CartCoupon,
    CartLine,
    CartQuantity,
    CartView,
    CourseOfProduct,
    Entitlement,
    Entitlements,
    NewCart,
    NewOrder,
    OrderLine,
    OrderStatus,
    OrderSummary,
    OrderView,
    ProductView,
    TimelineEntry,
    VariantView,
)
from services.web.tests import commerce_refusals as refusals
from services.web.tests.content_double import EPOCH, CourseDouble, an_id
from services.web.tests.switchboard import Who, answer, problem
from suuupra.amounts import Amount
from suuupra.money import Money
from suuupra.pagination import Page

TAX = 180


def amount(minor: int) -> Amount:
    """That many paise."""
    return Amount.of(Money(minor, "INR"))


def tax_in(minor: int) -> int:
    """The GST inside an amount."""
    return minor * TAX // (1000 + TAX)


class Cart:
    """What a cart holds: variant → quantity and the price that was accepted."""

    def __init__(self, owner: UUID | None) -> None:
        self.id, self.owner = uuid4(), owner
        self.lines: dict[UUID, tuple[int, int]] = {}
        self.coupon: str | None = None
        self.order: UUID | None = None
        self.currency = "INR"


class CommerceDouble:
    """A shop that sells courses for ₹499. `coupons` maps a code to the paise it takes off."""

    def __init__(self, courses: list[CourseDouble], who: Who) -> None:
        self.courses, self.who = courses, who
        self.price = 49900
        self.carts: dict[UUID, Cart] = {}
        self.orders: dict[UUID, OrderView] = {}
        self.rights: dict[UUID, set[UUID]] = {}
        self.coupons: dict[str, int] = {"WELCOME10": 4990}
        self.answered: dict[tuple[UUID | None, str], httpx.Response] = {}
        self.seats: int | None = None

    def transport(self) -> httpx.MockTransport:
        """What the client is given instead of the network."""
        return httpx.MockTransport(self._answer)

    def variant(self, course: CourseDouble) -> UUID:
        """The one way to buy a course."""
        return an_id(course.slug, "variant")

    def settle(self, order: UUID, status: OrderStatus, **changes: Any) -> None:
        """Let something become of an order; paid, it opens its courses."""
        kept = self.orders[order]
        if status == "fulfilled":
            changes = {
                "invoice_number": "SU/26-27/000001",
                "paid_at": EPOCH,
                "payment": "succeeded",
            } | changes
            courses = {line.course_id for line in kept.lines if line.course_id}
            self.rights.setdefault(kept.user_id, set()).update(courses)
        entry = TimelineEntry(
            at=EPOCH, what=f"order.{status}", text=f"Order {status}.", ids={"trace_id": "abc"}
        )
        self.orders[order] = kept.model_copy(
            update={"status": status, "timeline": [*kept.timeline, entry], **changes}
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("idempotency-key")
        if key is None or request.method != "POST":
            return self._routed(request)
        named = (self.who(request), key)
        if named not in self.answered:
            response = self._routed(request)
            if response.status_code >= 400:
                return response
            self.answered[named] = response
        kept = self.answered[named]
        return httpx.Response(kept.status_code, content=kept.content, headers=kept.headers)

    def _routed(self, request: httpx.Request) -> httpx.Response:
        path, user = request.url.path, self.who(request)
        if path == "/v1/products":
            return answer(Page[ProductView](items=[self._product(course) for course in self.courses]))
        if path == "/v1/carts":
            return self._new_cart(NewCart.model_validate_json(request.content).currency, user)
        if found := re.fullmatch(r"/v1/carts/([^/]+)(/.*)?", path):
            return self._of_cart(request, found[1], found[2] or "", user)
        if user is None:
            return problem(401, "unauthenticated", "This needs a signed-in caller.")
        if path == "/v1/entitlements":
            return answer(self._rights(user))
        if path == "/v1/orders" and request.method == "POST":
            return self._order(NewOrder.model_validate_json(request.content), user)
        if path == "/v1/orders":
            own = [
                OrderSummary.model_validate(o.model_dump()) for o in self.orders.values() if o.user_id == user
            ]
            return answer(Page[OrderSummary](items=own))
        if found := re.fullmatch(r"/v1/orders/([^/]+)(/cancel)?", path):
            return self._of_order(UUID(found[1]), bool(found[2]), user)
        return httpx.Response(404)

    def _product(self, course: CourseDouble) -> ProductView:
        variant = VariantView(
            id=self.variant(course), title="Whole course", prices=[amount(self.price)], seats_left=self.seats,
            max_per_order=1, active=True,
        )  # fmt: skip
        return ProductView(
            id=an_id(course.slug, "product"), title=course.title, description="", course=_course(course),
            tax_permille=TAX, sac="999293", active=True, variants=[variant], version=1,
        )  # fmt: skip

    def _rights(self, user: UUID) -> Entitlements:
        own = [course for course in self.courses if course.id in self.rights.get(user, ())]
        items = [
            Entitlement(course_id=c.id, slug=c.slug, title=c.title, order_id=c.id, granted_at=EPOCH)
            for c in own
        ]
        return Entitlements(items=items)

    def _new_cart(self, currency: str | None, user: UUID | None) -> httpx.Response:
        cart = self._open_cart_of(user) or Cart(user)
        cart.currency = cart.currency if cart.lines else currency or cart.currency
        self.carts[cart.id] = cart
        return answer(self.view(cart), 201)

    def _of_cart(self, request: httpx.Request, id_: str, rest: str, user: UUID | None) -> httpx.Response:
        cart = self.carts.get(UUID(id_))
        if cart is None or (cart.owner and cart.owner != user):
            return problem(404, "not-found", "There is no such cart.")
        match request.method, rest.split("/")[1:]:
            case "PUT", ["lines", variant]:
                if UUID(variant) not in map(self.variant, self.courses):
                    return problem(404, "not-found", "There is no such variant.")
                wanted = CartQuantity.model_validate_json(request.content).quantity
                if wanted > 1:
                    return problem(
                        409,
                        "cart-not-orderable",
                        "must be at most 1 in one order",
                        "path.variant_id",
                        "set its quantity to 1 or less",
                    )
                cart.lines[UUID(variant)] = (wanted, self.price)
            case "DELETE", ["lines", variant]:
                cart.lines.pop(UUID(variant), None)
            case "PUT", ["coupon"]:
                code = CartCoupon.model_validate_json(request.content).code
                if code not in self.coupons:
                    return problem(
                        422,
                        "invalid",
                        "must be a coupon that is there",
                        "body.code",
                        "look at how it is written",
                    )
                cart.coupon = code
            case "DELETE", ["coupon"]:
                cart.coupon = None
            case "POST", ["claim"]:
                own = self._open_cart_of(user)
                if own and own.lines and cart.lines and own.currency != cart.currency:
                    return refusals.two_currencies(own.currency)
                cart = self._claimed(cart, own, user)
        return answer(self.view(cart))

    def _open_cart_of(self, user: UUID | None) -> Cart | None:
        return next((c for c in self.carts.values() if user and c.owner == user and c.order is None), None)

    def _claimed(self, cart: Cart, own: Cart | None, user: UUID | None) -> Cart:
        if own is None or own is cart:
            cart.owner = user
            return cart
        own.lines |= cart.lines
        own.coupon = cart.coupon or own.coupon
        del self.carts[cart.id]
        return own

    def view(self, cart: Cart) -> CartView:
        """The cart at present prices."""
        lines = [self._line(variant, *held) for variant, held in cart.lines.items()]
        subtotal = sum(line.total.minor for line in lines)
        off = min(self.coupons.get(cart.coupon or "", 0), subtotal)
        fine = bool(lines) and all(line.unit_before is None for line in lines)
        return CartView(
            id=cart.id, status="ordered" if cart.order else "open", order_id=cart.order, currency=cart.currency, lines=lines,
            coupon_code=cart.coupon, coupon_problem=None, subtotal=amount(subtotal), discount=amount(off),
            tax=amount(tax_in(subtotal - off)), total=amount(subtotal - off), orderable=fine and cart.order is None,
        )  # fmt: skip

    def _line(self, variant: UUID, quantity: int, accepted: int) -> CartLine:
        course = next(c for c in self.courses if self.variant(c) == variant)
        changed = accepted != self.price
        return CartLine(
            product_id=an_id(course.slug, "product"), variant_id=variant, course=_course(course), title=course.title,
            quantity=quantity, unit=amount(self.price), unit_before=amount(accepted) if changed else None,
            discount=amount(0), tax=amount(tax_in(self.price)), total=amount(self.price * quantity),
            problem=None,
        )  # fmt: skip

    def _order(self, asked: NewOrder, user: UUID) -> httpx.Response:
        cart = self.carts.get(asked.cart_id)
        if cart is None or cart.owner not in (None, user) or cart.order is not None:
            return refusals.cart_ordered(cart.order if cart else None)
        view = self.view(cart)
        if refusal := refusals.of_prices(view, asked.total):
            return refusal
        held = {line.variant_id: o.id for o in self.orders.values() for line in o.lines if _waits(o, user)}
        twice = {line.variant_id: held[line.variant_id] for line in view.lines if line.variant_id in held}
        if twice:
            return refusals.already_ordered(twice)
        order = self._made(view, user)
        cart.order, cart.owner = order.id, user
        return answer(order, 201)

    def _made(self, cart: CartView, user: UUID) -> OrderView:
        lines = [
            OrderLine(
                product_id=line.product_id, variant_id=line.variant_id,
                course_id=line.course.id if line.course else None, title=line.title, quantity=line.quantity,
                unit_minor=line.total.minor, discount_minor=cart.discount.minor, tax_minor=cart.tax.minor,
                tax_permille=TAX, total_minor=cart.total.minor,
            )
            for line in cart.lines
        ]  # fmt: skip
        order = OrderView(
            id=uuid4(), number=f"SU-{len(self.orders) + 1:06}", user_id=user, status="pending_payment",
            titles=[line.title for line in lines], total=cart.total, created_at=EPOCH,
            expires_at=EPOCH + timedelta(minutes=15), invoice_number=None, lines=lines, coupon_code=cart.coupon_code,
            subtotal=cart.subtotal, discount=cart.discount, tax=cart.tax, payment="awaited", payments=[], paid_at=None,
            refunds=[], refunded=amount(0), refundable=amount(0),
            timeline=[TimelineEntry(at=EPOCH, what="order.created", text="Order placed.", ids={})],
        )  # fmt: skip
        self.orders[order.id] = order
        return order

    def _of_order(self, id_: UUID, cancel: bool, user: UUID) -> httpx.Response:
        order = self.orders.get(id_)
        if order is None or order.user_id != user:
            return problem(404, "not-found", "There is no such order.")
        if cancel and order.status == "pending_payment":
            self.settle(id_, "canceled")
        return answer(self.orders[id_])


def _waits(order: OrderView, user: UUID) -> bool:
    return order.user_id == user and order.status == "pending_payment"


def _course(course: CourseDouble) -> CourseOfProduct:
    return CourseOfProduct(id=course.id, slug=course.slug, title=course.title)


def said(request: httpx.Request) -> Any:
    """A request's JSON."""
    return json.loads(request.content)
