"""How many payments are under way, as far as one process can tell by itself, and whether one more may begin."""

from dataclasses import dataclass, field
from itertools import takewhile


@dataclass
class UnderWay:
    """Payments that began here, each counted until it ends, here or elsewhere, and for `seconds` at most."""

    seconds: float
    _begun: dict[str, float] = field(default_factory=dict)
    """When, in seconds that never run backwards; the oldest first."""

    def begin(self, txn_id: str, at: float) -> None:
        for old in list(takewhile(lambda one: self._begun[one] <= at - self.seconds, self._begun)):
            del self._begun[old]
        self._begun[txn_id] = at

    def end(self, txn_id: str) -> None:
        self._begun.pop(txn_id, None)

    def begun_before(self, at: float, now: float) -> list[str]:
        """Those that are counted at `now` and began before `at`."""
        return [txn_id for txn_id, begun in self._begun.items() if now - self.seconds < begun < at]

    def count(self, at: float) -> int:
        return sum(1 for begun in self._begun.values() if begun > at - self.seconds)
