"""How many payments are under way, as far as one process can tell by itself, and whether one more may begin."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple


class _Begun(NamedTuple):
    at: float
    """In seconds that never run backwards."""
    asked: Hashable


@dataclass
class UnderWay:
    """Payments that began here, each counted until it ends, here or elsewhere, and for `seconds` at most."""

    seconds: float
    _begun: dict[str, _Begun] = field(default_factory=dict)
    """By transaction; the oldest first."""

    def begin(self, txn_id: str, asked: Hashable, at: float) -> None:
        """`asked`: what was asked for, the same each time that it is asked for again."""
        for old in list(takewhile(lambda one: self._begun[one].at <= at - self.seconds, self._begun)):
            del self._begun[old]
        self._begun[txn_id] = _Begun(at, asked)

    def end(self, txn_id: str) -> None:
        self._begun.pop(txn_id, None)

    def begun_before(self, at: float, now: float) -> list[str]:
        """Those that are counted at `now` and began before `at`."""
        return [txn_id for txn_id, begun in self._begun.items() if now - self.seconds < begun.at < at]

    def asked(self, at: float) -> set[Hashable]:
        """What was asked for by those that are counted at that time."""
        return {begun.asked for begun in self._begun.values() if begun.at > at - self.seconds}
