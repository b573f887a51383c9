"""The story of one order, asked of every service at once with the token of whoever looks at it.

What a service does not tell in time is named as missing, and never hides what the others tell.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote
from uuid import UUID

from pydantic import ValidationError

from services.commerce.contract import OrderView
from services.payments.contract import PaymentView
from services.upi_core.contract import TransactionView
from services.web.clients.calling import Away, Refused
from services.web.clients.commerce import Commerce
from services.web.clients.content import Content
from services.web.clients.ledger import Ledger
from services.web.clients.notifications import Notifications
from services.web.clients.payments import Payments
from services.web.clients.rail import Rail
from services.web.domain import story
from services.web.domain.story import Missing, Moment, Story, paying, tellers
from suuupra import errors

T = TypeVar("T")
PART_SECONDS: Final = 4.0
"""What one service's part may take; then the page is shown without it."""
NUMBER: Final = re.compile(r"SO-[0-9]{1,12}", re.IGNORECASE)


@dataclass(frozen=True)
class Sources:
    """Everybody who is asked, and with whose token."""

    shop: Commerce
    till: Payments
    rail: Rail
    books: Ledger
    courses: Content
    post: Notifications
    bearer: str


@dataclass(frozen=True)
class Part:
    """What one service told."""

    moments: tuple[Moment, ...] = ()
    missing: tuple[Missing, ...] = ()


async def of(sources: Sources, wanted: str) -> Story:
    """The story of an order by its number or id, or by the id of its payment. Raises NotFound, Invalid, CommerceAway."""
    order_id, order, gap = await _order(sources, wanted)
    parts = await asyncio.gather(
        _paid(sources, order_id, order),
        _booked(sources, order_id),
        _opened(sources, order),
        _mailed(sources, order_id),
    )
    own = tuple(tellers.of_order(order)) if order else ()
    moments = [*own, *(moment for part in parts for moment in part.moments)]
    missing = [*gap, *(one for part in parts for one in part.missing)]
    return story.told(order_id, order.number if order else None, moments, missing)


async def _order(sources: Sources, wanted: str) -> tuple[UUID, OrderView | None, tuple[Missing, ...]]:
    """Without commerce the others can still be asked, when the order's id is what we have."""
    number, id_ = NUMBER.fullmatch(wanted), _uuid(wanted)
    if number is None and id_ is None:
        rule = "must be an order's number or id"
        error = errors.FieldError(
            "path.order", rule, "write it as SO-100042, or as the id from a list of orders"
        )
        raise errors.Invalid(f"What was asked for {rule}.", errors=[error])
    if id_ is None:
        found = await sources.shop.find(sources.bearer, number=wanted.upper())
        if found is None:
            raise _no_order(f"There is no order {wanted.upper()}.")
        id_ = found.id
    try:
        order = await _order_by_id(sources, id_)
        return order.id, order, ()
    except (Away, errors.TooManyRequests) as problem:
        return id_, None, (_missing("commerce", problem),)


async def _order_by_id(sources: Sources, id_: UUID) -> OrderView:
    try:
        return await sources.shop.order(id_, sources.bearer)
    except errors.NotFound:
        found = await sources.shop.find(sources.bearer, payment_id=str(id_))
        if found is None:
            raise _no_order(f"There is no order, and no payment, with the id {id_}.") from None
        return await sources.shop.order(found.id, sources.bearer)


def _no_order(detail: str) -> errors.NotFound:
    """Who signed in before they were given a role has a token that sees their own orders only."""
    fix = "look at how it is written; if you were given your role just now, sign out and in again"
    return errors.NotFound(detail, errors=[errors.FieldError("path.order", "must be there", fix)])


def address(wanted: str) -> str:
    """What somebody typed, as a part of an address."""
    return quote(wanted.upper() if NUMBER.fullmatch(wanted) else wanted, safe="")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _paid(sources: Sources, order_id: UUID, order: OrderView | None) -> Part:
    """Payments, and the rail by the names that payments gave its attempts, or by those that commerce heard of."""
    views, gap = await _asked("payments", sources.till.views(order_id, sources.bearer))
    known = [entry.ids.get("rail_reference", "") for entry in order.timeline] if order else []
    payments, rail = await asyncio.gather(
        _attempted(sources, views or []), _moved(sources, views or [], {it for it in known if it})
    )
    return Part(payments.moments + rail.moments, gap + payments.missing + rail.missing)


async def _attempted(sources: Sources, views: list[PaymentView]) -> Part:
    asked = (_asked("payments", sources.till.timeline(view.id, sources.bearer)) for view in views)
    answers = await asyncio.gather(*asked)
    moments = [moment for found, _ in answers if found for moment in paying.of_payment(found)]
    return Part(tuple(moments), tuple(dict.fromkeys(gap for _, gaps in answers for gap in gaps)))


async def _moved(sources: Sources, views: list[PaymentView], known: set[str]) -> Part:
    found, gap = await _asked("upi-core", _transactions(sources, paying.references(views), known))
    moments = [moment for txn in found or [] for moment in paying.of_transaction(txn)]
    return Part(tuple(moments), gap)


async def _transactions(sources: Sources, references: list[str], known: set[str]) -> list[TransactionView]:
    """What was tried under these names, what is known by its id, and the refunds of both."""
    tried = await asyncio.gather(*(sources.rail.tried(it, sources.bearer) for it in references))
    found = {txn.id: txn for some in tried for txn in some}
    await _add(sources, found, known)
    await _add(sources, found, [id_ for txn in list(found.values()) for id_ in txn.refunds])
    return list(found.values())


async def _add(sources: Sources, found: dict[str, TransactionView], ids: Iterable[str]) -> None:
    new = sorted({id_ for id_ in ids if id_ not in found})
    for txn in await asyncio.gather(*(sources.rail.transaction(id_, sources.bearer) for id_ in new)):
        found[txn.id] = txn


async def _booked(sources: Sources, order_id: UUID) -> Part:
    found, gap = await _asked("ledger", sources.books.journals(order_id, sources.bearer))
    return Part(tuple(tellers.of_journals(found or [])), gap)


async def _opened(sources: Sources, order: OrderView | None) -> Part:
    if order is None:
        why = "It is asked by what commerce tells, and commerce could not be read."
        return Part(missing=(Missing("content", why, "Reload the page when commerce is there again."),))
    titles = {line.course_id: line.title for line in order.lines if line.course_id}
    if not titles:
        return Part()
    asked = sources.courses.access(order.user_id, titles, sources.bearer)
    found, gap = await _asked("content", asked)
    return Part(tuple(tellers.of_access(found or [], titles, order.created_at)), gap)


async def _mailed(sources: Sources, order_id: UUID) -> Part:
    found, gap = await _asked("notifications", sources.post.about(order_id, sources.bearer))
    return Part(tuple(tellers.of_messages(found or [])), gap)


async def _asked(service: str, answer: Awaitable[T]) -> tuple[T | None, tuple[Missing, ...]]:
    """What a service answers in time, or why there is nothing."""
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await answer, ()
    except (TimeoutError, errors.Problem, ValidationError) as problem:
        if isinstance(problem, errors.Unauthenticated):
            raise
        return None, (_missing(service, problem),)


def _missing(service: str, problem: Exception) -> Missing:
    match problem:
        case errors.Forbidden():
            fix = "Ask for a role that may read it; if you were given one just now, sign out and in again."
            return Missing(service, "Your roles do not let you read this part.", fix)
        case errors.TooManyRequests():
            return Missing(service, "Too much was asked of it just now.", "Reload the page in a few seconds.")
        case ValidationError():
            fix = "One of the two is older than the other: look at their versions."
            return Missing(service, "It answered something that this page cannot read.", fix)
        case errors.NotFound() | Refused():
            return Missing(
                service, "It does not know what it was asked for.", "Reload the page in a few seconds."
            )
        case _:
            return Missing(service, "It did not answer in time.", "Reload the page in a few seconds.")
