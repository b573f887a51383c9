"""The tables, and every statement on them. What a cookie says is never stored, only its hash."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, MetaData, Text, delete, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel, col, select

from suuupra.db import Transaction

_INSTANT: Any = DateTime(timezone=True)
SWEPT = 10
"""Rows past their end that go whenever one is added, so that the tables need no cleaner."""


class _Table(SQLModel):
    metadata: ClassVar[MetaData] = MetaData()


class SessionRow(_Table, table=True):
    """A session; `sealed` holds its tokens under a key that only the cookie has."""

    __tablename__: ClassVar[Any] = "session"

    id: bytes = Field(primary_key=True, sa_type=LargeBinary)
    user_id: UUID
    name: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    roles: list[str] = Field(sa_type=ARRAY(Text))
    sealed: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)
    expires_at: datetime = Field(sa_type=_INSTANT)


class LoginRow(_Table, table=True):
    """A sign-in under way, found by its state and good only in the browser that began it."""

    __tablename__: ClassVar[Any] = "login"

    state: bytes = Field(primary_key=True, sa_type=LargeBinary)
    browser: bytes = Field(sa_type=LargeBinary)
    nonce: str = Field(sa_type=Text)
    verifier: str = Field(sa_type=Text)
    return_to: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=_INSTANT)


async def add_login(tx: Transaction, row: LoginRow, now: datetime) -> None:
    """Keep a sign-in under way."""
    await tx.execute(_SWEEP_LOGINS, {"now": now, "limit": SWEPT})
    tx.add(row)
    await tx.flush()


async def take_login(tx: Transaction, state: bytes, browser: bytes, now: datetime) -> LoginRow | None:
    """The sign-in of that state and browser, which is over with it; None when there is none or it is too old."""
    found = (
        await tx.exec(
            select(LoginRow)
            .where(col(LoginRow.state) == state, col(LoginRow.browser) == browser)
            .with_for_update()
        )
    ).one_or_none()
    if found is None:
        return None
    await tx.delete(found)
    return found if found.expires_at > now else None


async def add_session(tx: Transaction, row: SessionRow, now: datetime) -> None:
    """Keep a new session."""
    await tx.execute(_SWEEP_SESSIONS, {"now": now, "limit": SWEPT})
    tx.add(row)
    await tx.flush()


async def session(tx: Transaction, id_: bytes, *, lock: bool = False) -> SessionRow | None:
    """A session by its cookie's hash; with `lock` no other transaction may renew it meanwhile."""
    asked = select(SessionRow).where(col(SessionRow.id) == id_)
    return (await tx.exec(asked.with_for_update() if lock else asked)).one_or_none()


async def end_session(tx: Transaction, id_: bytes) -> None:
    """Forget a session."""
    await tx.execute(delete(SessionRow).where(col(SessionRow.id) == id_))


_SWEEP_LOGINS = text(
    "DELETE FROM login WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM login WHERE expires_at <= :now LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_SWEEP_SESSIONS = text(
    "DELETE FROM session WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM session WHERE expires_at <= :now LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
