"""What is on sale and for whom, decided without any I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from suuupra.money import Money

SaleState = Literal["open", "owned", "offered", "unsold", "away"]


@dataclass(frozen=True)
class Offer:
    """One way to get a course: a variant of a product, with its price in the currency shown, tax included."""

    variant_id: UUID
    course_id: UUID | None
    title: str
    variant: str
    price: Money
    tax_permille: int
    seats_left: int | None = None

    @property
    def sold_out(self) -> bool:
        """Whether no seat is left."""
        return self.seats_left is not None and self.seats_left <= 0


@dataclass(frozen=True)
class Market:
    """What shops and rights say at one moment; None for what cannot be told."""

    offers: tuple[Offer, ...] | None
    owned: frozenset[UUID] | None

    def sale(self, course_id: UUID, access: str, *, readable: bool = False) -> Sale:
        """How somebody gets a course. `readable` says that content lets them read all of it."""
        found = tuple(offer for offer in self.offers or () if offer.course_id == course_id)
        if access == "open":
            return Sale("open", ())
        if readable or course_id in (self.owned or ()):
            return Sale("owned", found)
        if self.offers is None:
            return Sale("away", ())
        return Sale("offered" if found else "unsold", _cheapest_first(found))

    def sales(self, courses: Mapping[UUID, str]) -> dict[UUID, Sale]:
        """As `sale`, for courses with their access."""
        return {id_: self.sale(id_, access) for id_, access in courses.items()}


@dataclass(frozen=True)
class Sale:
    """How somebody gets one course."""

    state: SaleState
    offers: tuple[Offer, ...]

    @property
    def best(self) -> Offer | None:
        """The offer that a card shows."""
        return next((offer for offer in self.offers if not offer.sold_out), next(iter(self.offers), None))


def _cheapest_first(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    return tuple(sorted(offers, key=lambda offer: (offer.price.currency, offer.price.minor, offer.variant)))
