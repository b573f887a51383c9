"""Connecting to PostgreSQL so that nothing is left behind where no connection came about."""

import traceback
from typing import Any, TypeVar

from psycopg import AsyncConnection

_Made = TypeVar("_Made", bound=AsyncConnection[Any])


async def connected(kind: type[_Made], conninfo: str = "", **options: Any) -> _Made:
    """A new connection, made by `kind.connect`; one that is not made in its time, or not waited for, is hung up on.

    psycopg leaves that to the garbage collector. Until it comes by, a server that was frozen and is back waits for our
    password, for as long as its authentication_timeout, and whoever drops a database waits for that.

    Raises:
        psycopg.Error: the server is silent, or refuses.
    """
    try:
        return await kind.connect(conninfo, **options)
    except BaseException as error:  # CancelledError, too
        traceback.clear_frames(error.__traceback__)  # what is left of the attempt is held by these alone
        raise
