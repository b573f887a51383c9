"""Passwords, hashed with Argon2id (RFC 9106) by a few threads and for a bounded queue.

One hash costs tens of milliseconds of a core and megabytes of memory, on purpose. So only a few run at once, some
wait, and whoever comes when the queue is full is told to come back: a flood of logins slows nobody down but itself.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from prometheus_client import Counter, Gauge

from services.identity.domain.passwords import prepared
from suuupra.errors import Unavailable

RETRY_AFTER_SECONDS: Final = 2

QUEUE = Gauge("suuupra_identity_password_queue", "Passwords that are hashed now or wait for it.")
REFUSED = Counter(
    "suuupra_identity_password_refused_total", "Passwords that were not looked at: the queue was full."
)
T = TypeVar("T")


class HashingBusy(Unavailable):
    """Every worker is busy and the queue is full."""

    slug, title = "passwords-busy", "Too many people are signing in at this moment"

    def __init__(self) -> None:
        super().__init__(
            "Your password was not looked at. Wait a few seconds, then try again.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


class HashingSettings(Protocol):
    """What is read of the settings."""

    @property
    def password_memory_kib(self) -> int: ...
    @property
    def password_passes(self) -> int: ...
    @property
    def password_workers(self) -> int: ...
    @property
    def password_queue(self) -> int: ...


class Hasher:
    """The bounded pool. A resource of the application."""

    name = "passwords"

    def __init__(self, settings: HashingSettings) -> None:
        self._argon2 = PasswordHasher(
            time_cost=settings.password_passes,
            memory_cost=settings.password_memory_kib,
            parallelism=1,
            type=Type.ID,
        )
        self._most = settings.password_workers + settings.password_queue
        self._inside = 0
        self._threads = ThreadPoolExecutor(settings.password_workers, thread_name_prefix="argon2")
        self._nobodys = ""

    async def open(self) -> None:
        """Make the hash that is compared when there is no account: it must cost what another costs."""
        self._nobodys = await self.hash("nobody's password")

    async def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    async def check(self) -> None:
        """Always usable; a full queue is told to those who come, not to the probes."""

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises HashingBusy."""
        return await self._in_turn(lambda: self._argon2.hash(prepared(password)))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether this is the password; False, after the same work, where there is no hash. Raises HashingBusy."""
        kept = password_hash or self._nobodys
        same = await self._in_turn(lambda: self._verify(kept, password))
        return same and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than are used now."""
        return self._argon2.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, prepared(password))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._inside >= self._most:
            REFUSED.inc()
            raise HashingBusy
        self._inside += 1
        QUEUE.set(self._inside)
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # Counted until the thread is done with it, even if the caller went away: a place is taken as long as work is.
        running.add_done_callback(self._left)
        return await asyncio.shield(running)

    def _left(self, running: "asyncio.Future[T]") -> None:
        self._inside -= 1
        QUEUE.set(self._inside)
        if not running.cancelled():
            running.exception()  # looked at, for the case that nobody waits for it any more
