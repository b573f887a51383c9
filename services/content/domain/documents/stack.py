"""The elements that a parser has open, and the formatting that it will open again."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Formatting:
    """An element to open again: its tag, and where in the stack it is, or -1. Without a tag: what a cell or an object begins with."""

    name: str
    source: str
    at: int = -1


@dataclass(slots=True)
class Stack:
    """What is open. The first `sure` of `open` are open in the parser too; of the others any may be, in this order."""

    open: list[str] = field(default_factory=list)
    sure: int = 0
    active: list[Formatting] = field(default_factory=list)

    @property
    def certain(self) -> bool:
        """Whether the parser has open exactly what is in `open`."""
        return self.sure == len(self.open)

    def _doubt(self, at: int) -> None:
        self.sure = min(self.sure, at)

    def _cut(self, at: int) -> None:
        del self.open[at:]
        self.sure = min(self.sure, at)
        if self.active:
            for one in self.active:
                if one.at >= at:
                    one.at = -1

    def _find(self, names: frozenset[str], barriers: frozenset[str], below: int) -> int:
        for at in range(below - 1, -1, -1):
            if self.open[at] in names:
                return at
            if self.open[at] in barriers:
                return -1
        return -1

    def _close(self, names: frozenset[str], barriers: frozenset[str]) -> None:
        """Close through the uppermost of `names` that no barrier hides; as far as it is sure to be closed."""
        if names.isdisjoint(self.open):
            return
        if self.certain:
            at = self._find(names, barriers, len(self.open))
            if at >= 0:
                self._cut(at)
            return
        if self.open[-1] in names:
            self._cut(len(self.open) - 1)
        at = self._find(names, barriers, self.sure)
        if at >= 0:
            self._doubt(at)

    def _close_top(self, names: frozenset[str]) -> None:
        was_certain = self.certain
        if self.open and self.open[-1] in names:
            self._cut(len(self.open) - 1)
        if not was_certain and self.sure and self.open[self.sure - 1] in names:
            self._doubt(self.sure - 1)

    def _remove(self, at: int) -> None:
        """Take one out of the middle."""
        del self.open[at]
        self.sure = min(self.sure, len(self.open)) if self.sure <= at else self.sure - 1
        for one in self.active:
            if one.at == at:
                one.at = -1
            elif one.at > at:
                one.at -= 1
