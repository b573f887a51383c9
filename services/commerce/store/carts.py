"""Carts and their lines."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from services.commerce.domain.carts import Wanted
from services.commerce.store.tables import CartLineRow, CartRow
from suuupra.db import Transaction

_LOCKS: Final = 0x436F_0002
"""First key of the advisory locks that let a user's carts be made, merged and ordered one after the other."""
_USERS_TURN: Final = text("SELECT pg_advisory_xact_lock(:locks, hashtext(CAST(:user AS text)))")
_PUT: Final = text("""
INSERT INTO cart_line AS l (cart_id, variant_id, quantity, minor, added_at)
VALUES (:cart_id, :variant_id, :quantity, :minor, :at)
ON CONFLICT (cart_id, variant_id) DO UPDATE SET quantity = excluded.quantity, minor = excluded.minor
""")
_REMOVE: Final = text("DELETE FROM cart_line WHERE cart_id = :cart_id AND variant_id = :variant_id")
_CLEAR: Final = text("DELETE FROM cart_line WHERE cart_id = :cart_id")


def unguessable_id() -> UUID:
    """An id of 122 random bits (UUIDv4, RFC 9562): who knows it may use an anonymous cart, so time must not tell it."""
    return UUID(bytes=secrets.token_bytes(16), version=4)


async def cart(tx: Transaction, cart_id: UUID, *, lock: bool = False) -> CartRow | None:
    """A cart; to be changed when `lock`."""
    query = select(CartRow).where(CartRow.id == cart_id)
    return (await tx.exec(query.with_for_update() if lock else query)).one_or_none()


async def users_turn(tx: Transaction, user_id: UUID) -> None:
    """What is decided about all of a user's carts and orders comes one after the other, until the commit.

    Taken before the row of any cart, so that two who wait for each other's never deadlock.
    """
    await tx.execute(_USERS_TURN, {"locks": _LOCKS, "user": str(user_id)})


async def open_cart_of(tx: Transaction, user_id: UUID) -> CartRow | None:
    """The user's open cart, locked; until the commit nobody else makes one for them."""
    await users_turn(tx, user_id)
    query = select(CartRow).where(CartRow.user_id == user_id, CartRow.status == "open")
    return (await tx.exec(query.with_for_update())).one_or_none()


async def lines(tx: Transaction, cart_id: UUID) -> Sequence[CartLineRow]:
    """A cart's lines in the order they were added."""
    query = select(CartLineRow).where(CartLineRow.cart_id == cart_id)
    return (await tx.exec(query.order_by(col(CartLineRow.added_at), col(CartLineRow.variant_id)))).all()


async def put_line(
    tx: Transaction, cart_id: UUID, variant_id: UUID, quantity: int, minor: int, at: datetime
) -> None:
    """Have the cart hold so many of a variant, at that unit price."""
    values = {"cart_id": cart_id, "variant_id": variant_id, "quantity": quantity, "minor": minor, "at": at}
    await tx.execute(_PUT, values)


async def remove_line(tx: Transaction, cart_id: UUID, variant_id: UUID) -> None:
    """Have the cart hold none of a variant."""
    await tx.execute(_REMOVE, {"cart_id": cart_id, "variant_id": variant_id})


async def replace_lines(tx: Transaction, cart_id: UUID, wanted: Iterable[Wanted], at: datetime) -> None:
    """Have the cart hold exactly these, in this order."""
    await tx.execute(_CLEAR, {"cart_id": cart_id})
    for line in wanted:
        await put_line(tx, cart_id, line.variant_id, line.quantity, line.unit_minor, at)


async def delete(tx: Transaction, row: CartRow) -> None:
    """Forget a cart; its lines go with it."""
    await tx.delete(row)
