"""What commerce does with events: it learns what courses are called, and what became of payments."""

from collections.abc import Sequence

from services.commerce.settings import Settings
from services.commerce.store import catalogue
from services.commerce.usecases import payments
from services.commerce.usecases.checkout import Terms
from services.content.contract import CoursePublished, CourseUnpublished
from services.payments.contract import (
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    RefundFailed,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.events import Meta
from suuupra.inbox import NEEDED, Subscription, on


def consumers(settings: Settings, clock: Clock | None = None) -> Sequence[Subscription]:
    """The topics read, and what each does.

    A refund that came without its payment would leave the order unpaid for good; a payment does without the failure
    before it.
    """
    time, terms = clock or SystemClock(), Terms.of(settings)

    async def succeeded(tx: Transaction, event: PaymentSucceeded, meta: Meta) -> None:
        await payments.succeeded(tx, event, meta, terms, time.now())

    async def refunded(tx: Transaction, event: PaymentRefunded, meta: Meta) -> None:
        await payments.refunded(tx, event, meta, terms, time.now())

    return [
        on(CoursePublished, learn_course),
        on(CourseUnpublished, withdraw_course),
        on(PaymentSucceeded, succeeded, awaited=NEEDED),
        on(PaymentFailed, payments.failed),
        on(PaymentRefunded, refunded),
        on(RefundFailed, payments.refund_failed),
        on(SurplusReceived, payments.surplus),
        on(SurplusReturned, payments.surplus),
    ]


async def learn_course(tx: Transaction, event: CoursePublished, meta: Meta) -> None:
    """Keep what a course is called and whose it is."""
    await catalogue.learn_course(
        tx, event.course_id, event.slug, event.title, event.owner, event.revision, event.published_at
    )


async def withdraw_course(tx: Transaction, event: CourseUnpublished, meta: Meta) -> None:
    """What opens the course is not sold while it is withdrawn."""
    await catalogue.withdraw_course(tx, event.course_id, event.unpublished_at)
