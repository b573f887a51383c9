"""What others may import from the gateway: nothing crosses by event, only these names cross by HTTP header."""

from typing import Final

from suuupra.events import Event

EVENTS: Final[tuple[type[Event], ...]] = ()

PAYLOAD_HEADER: Final = "x-jwt-payload"
"""Verified claims of the caller, base64url JSON. Only the gateway writes it; services still verify the token."""

PRIORITY_HEADER: Final = "x-suuupra-priority"
"""The route's priority: ``critical``, ``normal`` or ``bulk``."""
