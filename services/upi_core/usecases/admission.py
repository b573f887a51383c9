"""Who may begin a payment now. What has begun is never in anybody's way here: only beginnings are told to wait.

Each payment under way is a chain of messages that its banks and PSPs have seconds for. When more begin than can end,
all of them become slower together until their timers end them, and the work done for them was for nothing. So as many
are let in as can end in time, and whoever comes then is told to come again, before a connection is taken for it.
"""

import random
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from typing import Final

from prometheus_client import Counter, Gauge

from services.upi_core.domain.crowding import UnderWay
from services.upi_core.usecases.problems import many_are_paying
from suuupra.clock import Clock
from suuupra.db import DatabaseBusy, Transaction
from suuupra.errors import Problem
from suuupra.messages import PARALLEL

COME_AGAIN_SECONDS: Final = (2, 5)
"""From, to: by chance, so that those who were turned away do not return in step."""

_turned_away = Counter("suuupra_upi_turned_away_total", "Payments that were told to begin later.")
_under_way = Gauge("suuupra_upi_under_way", "Payments that began here and have not ended.")


class Admission:
    """The places for payments of one process.

    `pay_timer`: after so long a step of a payment has ended by itself, and what is left of it waits for a timer.
    `letters`: how many new ones the courier has in hand; with PARALLEL of them the next waits for its turn. Those that
    are tried again are not among them: a bank that is silent must not close the switch to all others.
    """

    def __init__(self, places: int, pay_timer: timedelta, letters: Callable[[], int], clock: Clock) -> None:
        self._places = places
        self._letters = letters
        self._clock = clock
        self._beginning: dict[object, Hashable] = {}
        """What is being asked for, by who asks."""
        self._under_way = UnderWay(pay_timer.total_seconds())
        _under_way.set_function(lambda: len(self._moving()))

    @contextmanager
    def place(self, asked: Hashable) -> Iterator[None]:
        """A place for what the block begins, and for the payment once that is committed.

        `asked` says what is asked for: who asks for the same again while it is taken or moves shares its place.
        Raises ManyArePaying when all are taken, or the block finds every connection in use and nothing moves yet.
        """
        held = self._held()
        if asked not in held and (len(held) >= self._places or self._letters() >= PARALLEL):
            raise _come_again()
        asking = object()
        self._beginning[asking] = asked
        before = _asking.set(asking)
        try:
            yield
        except DatabaseBusy as error:
            if asked in self._moving():
                raise
            raise _come_again() from error
        finally:
            _asking.reset(before)
            self._beginning.pop(asking, None)

    def begun(self, tx: Transaction, txn_id: str) -> None:
        """The payment moves from now on: it has the place that was taken for it."""
        tx.when_committed(partial(self._move_in, _asking.get(), txn_id))

    def ended(self, tx: Transaction, txn_id: str) -> None:
        """Its result is told."""
        tx.when_committed(partial(self._under_way.end, txn_id))

    def begun_before(self, seconds: float) -> list[str]:
        """Payments under way that began here longer ago than that."""
        now = self._clock.monotonic()
        return self._under_way.begun_before(now - seconds, now)

    def forget(self, txn_ids: Iterable[str]) -> None:
        """They have ended at another process."""
        for txn_id in txn_ids:
            self._under_way.end(txn_id)

    def _move_in(self, asking: object, txn_id: str) -> None:
        self._under_way.begin(txn_id, self._beginning.pop(asking, txn_id), self._clock.monotonic())

    def _moving(self) -> set[Hashable]:
        return self._under_way.asked(self._clock.monotonic())

    def _held(self) -> set[Hashable]:
        """What has a place."""
        return self._moving().union(self._beginning.values())


def _come_again() -> Problem:
    _turned_away.inc()
    return many_are_paying(random.randint(*COME_AGAIN_SECONDS))  # noqa: S311


_asking: ContextVar[object] = ContextVar("asking", default=None)
"""Who asks, in the running request."""
