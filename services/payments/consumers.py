"""What payments does with events: each order is paid by one payment, which ends with it."""

from collections.abc import Sequence

from services.commerce.contract import OrderCanceled, OrderCreated, OrderExpired, RefundRequested
from services.payments.clients.rails import RailBook
from services.payments.domain.events import CancelReason
from services.payments.settings import Settings
from services.payments.usecases import orders
from services.payments.usecases.changing import Change
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.errors import NotFound
from suuupra.events import Meta
from suuupra.inbox import NEEDED, Reject, Subscription, on, on_batch


def consumers(settings: Settings, clock: Clock | None = None) -> Sequence[Subscription]:
    """The topics read, and what each does.

    The end of an order that is not known yet would be lost, and its payment stand open.
    """
    does = _Consumers(RailBook(settings), clock or SystemClock())
    return [
        on_batch(OrderCreated, does.begin, awaited=NEEDED),
        on(OrderExpired, does.expire),
        on(OrderCanceled, does.cancel),
        on(RefundRequested, does.refund),
    ]


class _Consumers:
    def __init__(self, rails: RailBook, clock: Clock) -> None:
        self._rails = rails
        self._clock = clock

    async def begin(self, tx: Transaction, events: Sequence[tuple[OrderCreated, Meta]]) -> None:
        await orders.begin(tx, [order for order, _ in events], self._clock.now())

    async def expire(self, tx: Transaction, event: OrderExpired, _meta: Meta) -> None:
        await orders.end(self._change(tx), event.order_id, CancelReason.ORDER_EXPIRED)

    async def cancel(self, tx: Transaction, event: OrderCanceled, _meta: Meta) -> None:
        await orders.end(self._change(tx), event.order_id, CancelReason.ORDER_CANCELED)

    async def refund(self, tx: Transaction, event: RefundRequested, _meta: Meta) -> None:
        try:
            await orders.refund(self._change(tx), event)
        except NotFound as error:
            raise Reject(f"payment {event.payment_id} is not known") from error

    def _change(self, tx: Transaction) -> Change:
        return Change(tx, self._rails, self._clock.now())
