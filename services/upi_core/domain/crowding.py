"""How many payments are under way, as far as one process can tell by itself, and whether one more may begin."""

from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

REMEMBERED: Final = 10_000
"""Payments of which an end is still looked for."""


@dataclass
class UnderWay:
    """Payments that began here, each counted until it ends, and for `seconds` at most.

    Several processes share the payments of a rail: what began here may end at another one, and the other way round. So
    an end of what began elsewhere stands for the end of the oldest that began here; the sum over all is right.
    """

    seconds: float
    _begun: dict[str, float] = field(default_factory=dict)
    """When, in seconds that never run backwards; the oldest first. What is counted no more is kept for its end."""

    def begin(self, txn_id: str, at: float) -> None:
        self._begun[txn_id] = at
        if len(self._begun) > REMEMBERED:
            self._drop_oldest()

    def end(self, txn_id: str) -> None:
        if self._begun.pop(txn_id, None) is None and self._begun:
            self._drop_oldest()

    def count(self, at: float) -> int:
        return sum(
            1 for _ in takewhile(lambda begun: begun > at - self.seconds, reversed(self._begun.values()))
        )

    def _drop_oldest(self) -> None:
        del self._begun[next(iter(self._begun))]
