"""What people are told: kinds, the category each belongs to, and who may switch what off."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from services.notifications.contract import Category, Channel, Choice, Kind

CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)

CATEGORY: Final[Mapping[Kind, Category]] = {
    "welcome": "account",
    "order_paid": "receipts",
    "order_refunded": "receipts",
    "order_expired": "orders",
    "order_canceled": "orders",
    "payment_succeeded": "payments",
    "payment_failed": "payments",
    "entitlement_granted": "learning",
    "entitlement_revoked": "learning",
}

_REQUIRED: Final[frozenset[tuple[Category, Channel]]] = frozenset({("receipts", "email")})
"""A tax invoice is owed, wanted or not (CGST Act, section 31)."""
_OFF_AT_FIRST: Final[frozenset[tuple[Category, Channel]]] = frozenset(
    {
        ("payments", "email"),  # whoever pays sits in front of the page that says it, and gets a receipt
        ("learning", "email"),  # the receipt says it already
    }
)

WhyNot = Literal["unwanted", "off"]
"""They chose so; or it is off at first, and they chose nothing."""
Chosen = Mapping[tuple[Category, Channel], bool]
"""What a user chose; what is not in it is as it is at first."""


def why_not(kind: Kind, channel: Channel, chosen: Chosen) -> WhyNot | None:
    """Why a user is not told of `kind` on `channel`; None when they are."""
    return _why_not((CATEGORY[kind], channel), chosen)


def _why_not(key: tuple[Category, Channel], chosen: Chosen) -> WhyNot | None:
    if key in _REQUIRED or chosen.get(key):
        return None
    if key in chosen:
        return "unwanted"
    return "off" if key in _OFF_AT_FIRST else None


def may_choose(category: Category, channel: Channel, wanted: bool) -> bool:
    """Whether a user may choose that."""
    return wanted or (category, channel) not in _REQUIRED


def choices(chosen: Chosen) -> list[Choice]:
    """Everything there is to choose, as it is now."""
    return [
        Choice(
            category=category,
            channel=channel,
            wanted=_why_not(key, chosen) is None,
            required=key in _REQUIRED,
        )
        for category in CATEGORIES
        for channel in CHANNELS
        for key in [(category, channel)]
    ]
