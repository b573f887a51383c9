"""A seller's courses and products."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok
from services.content.contract import CoursePublished, CourseUnpublished
from suuupra.db import Database
from suuupra.ids import new_id

_numbers = count(1)

PRICES = [
    {"currency": "INR", "amount": "499.00"},
    {"currency": "JPY", "amount": "900"},
    {"currency": "KWD", "amount": "1.755"},
    {"currency": "CLF", "amount": "0.1501"},
]


@dataclass(frozen=True, slots=True)
class Shop:
    """What there is to buy."""

    seller: Person
    database: Database
    deliveries: Deliveries

    async def course(self, title: str = "The Python Tutorial", owner: str | None = None) -> UUID:
        """A course that content published."""
        course_id = new_id()
        await self.deliveries.hand_over(self.published(course_id, title, owner=owner))
        return course_id

    def published(
        self, course_id: UUID, title: str, revision: int = 1, owner: str | None = None
    ) -> CoursePublished:
        """That content published the course."""
        return CoursePublished(
            course_id=course_id,
            revision=revision,
            slug=title.lower().replace(" ", "-"),
            title=title,
            summary="",
            language="en",
            owner=owner or self.seller.id,
            lesson_count=3,
            published_at=self.deliveries.clock.now(),
        )

    def unpublished(self, course_id: UUID) -> CourseUnpublished:
        """That content withdrew the course."""
        return CourseUnpublished(course_id=course_id, unpublished_at=self.deliveries.clock.now())

    async def product(self, *, course_id: UUID | None = None, **variant: Any) -> dict[str, Any]:
        """A product with one variant, of a new course unless one is given."""
        opened = course_id or await self.course(f"Course {next(_numbers)}")
        first = {"title": "Self-paced", "prices": PRICES, **variant}
        body = {"title": "Python", "course_id": str(opened), "variants": [first]}
        return ok(await self.seller.post("/v1/products", body))

    async def variant(self, **variant: Any) -> str:
        """The id of the only variant of a new product."""
        return str((await self.product(**variant))["variants"][0]["id"])

    async def coupon(self, code: str, **fields: Any) -> dict[str, Any]:
        """A coupon of the seller's."""
        return ok(await self.seller.post("/v1/coupons", {"code": code, **fields}))
