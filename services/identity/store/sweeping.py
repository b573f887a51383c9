"""What is over is deleted, a bounded number of rows at a time."""

from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import CursorResult, TextClause, text

from suuupra.db import Transaction

BATCH: Final = 1000
"""Rows of one table that one sweep deletes."""
_AFTER: Final = timedelta(days=1)
"""How long what is over is kept: a code or token that comes a second time must still be recognised."""


def _sweep(table: str, key: str, column: str) -> TextClause:
    return text(
        f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {column} < :before LIMIT :batch)"  # noqa: S608
    )


_STATEMENTS: Final = (
    _sweep("token_grant", "id", "expires_at"),  # with its codes and refresh tokens
    _sweep("sso_session", "id", "expires_at"),
    _sweep("signup", "id", "expires_at"),
    _sweep("login_failure", "email_key", "since"),
    _sweep("revoked_token", "jti", "expires_at"),
)

_LETTERS: Final = _sweep("letter", "id", "created_at")
_LETTERS_AFTER: Final = timedelta(days=7)
"""More than a letter may wait to be sent, and its link to be opened."""


async def sweep(tx: Transaction, now: datetime) -> int:
    """Delete; how many rows went, and BATCH of any one table when there may be more."""
    most = 0
    ages = [*((statement, _AFTER) for statement in _STATEMENTS), (_LETTERS, _LETTERS_AFTER)]
    for statement, age in ages:
        done = await tx.execute(statement, {"before": now - age, "batch": BATCH})
        most = max(most, cast("CursorResult[Any]", done).rowcount)
    return most
