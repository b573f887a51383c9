"""Identifiers: UUIDv7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7 as the standard library's UUID, greater than every earlier one of this process."""
    return uuid7()
