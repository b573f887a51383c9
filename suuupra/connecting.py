"""Connecting to PostgreSQL so that nothing is left behind where no connection came about."""

import asyncio
import select
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from psycopg import AsyncConnection, IsolationLevel, waiting

if TYPE_CHECKING:
    from psycopg.abc import PQGen

_Made = TypeVar("_Made", bound=AsyncConnection[Any])
_Result = TypeVar("_Result")

OPTIONS: Final[dict[str, Any]] = {
    "connect_timeout": 2,
    # A peer that vanished without a FIN (a node that died) is noticed in 10 s, not in 2 hours.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Of libpq, for every connection."""
TRUSTED_SECONDS: Final = 0.5
"""For how long a connection that answered is taken to be there, as HikariCP does (aliveBypassWindowMs)."""


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


class PromptConnection(AsyncConnection[Any]):
    """A connection that is closed when a wait for it is cancelled.

    psycopg asks the server to cancel the statement and waits up to 10 s for its answer. A server that is stuck does
    not answer; the caller was promised 1 s. The server rolls back what a closed connection left.
    """

    answered_at = float("-inf")
    """When the server last did, by time.monotonic()."""

    async def wait(
        self,
        gen: "PQGen[_Result]",
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 (psycopg's signature)
    ) -> _Result:
        try:
            result = await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise
        self.answered_at = time.monotonic()
        return result

    def is_trusted(self) -> bool:
        """Whether it answered just now, and the server has said nothing since: when it goes, it says goodbye."""
        if time.monotonic() - self.answered_at > TRUSTED_SECONDS:
            return False
        said = select.poll()
        said.register(self.pgconn.socket, select.POLLIN)
        return not said.poll(0)

    # Nothing is sent for these two, so nothing is waited for. The pool sets them while it takes a connection back:
    # whoever were cancelled there would lose it a place.

    async def set_autocommit(self, value: bool) -> None:
        """Set it at once."""
        deque(self._set_autocommit_gen(value), maxlen=0)

    async def set_isolation_level(self, value: IsolationLevel | None) -> None:
        """Set it at once."""
        deque(self._set_isolation_level_gen(value), maxlen=0)


def unless_trusted(ask: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """How a pool tries a connection before it hands it out: by `ask`, a round trip, where nothing else tells.

    A busy pool hands out again what was used a moment ago; the round trip would be a quarter of a short unit of work.
    """

    def is_alive(connection: Any) -> bool:
        driver = connection.driver_connection
        return (isinstance(driver, PromptConnection) and driver.is_trusted()) or ask(connection)

    return is_alive
