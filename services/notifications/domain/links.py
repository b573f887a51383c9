"""Where a notification leads, as a path on the public site."""

from typing import Any, assert_never
from urllib.parse import quote

from services.notifications.contract import Kind


def link_of(kind: Kind, data: dict[str, Any], course_slug: str | None) -> str | None:
    """The page that shows what happened."""
    match kind:
        case "welcome":
            return "/"
        case "order_paid" | "order_expired" | "order_canceled" | "order_refunded":
            return f"/orders/{data['order_id']}"
        case "payment_succeeded" | "payment_failed":
            return f"/orders/{data['order_id']}"
        case "entitlement_granted":
            return f"/courses/{quote(course_slug, safe='')}" if course_slug else "/learning"
        case "entitlement_revoked":
            return "/learning"
        case _:
            assert_never(kind)
