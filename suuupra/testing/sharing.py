"""Several pytest processes that share one heap of tests: each takes the next file that nobody has taken yet.

`SUUUPRA_TEST_SHARE="2/3:FOLDER"` makes a process the second of three; FOLDER is empty when they start and holds who
took what. Which one is fast and which file slow need not be known beforehand: nobody waits while there is work.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Self

import pytest

VARIABLE: Final = "SUUUPRA_TEST_SHARE"


@dataclass(frozen=True, slots=True)
class Share:
    """One of `of` processes, counted from 1, and the folder in which they claim files."""

    number: int
    of: int
    folder: Path

    @classmethod
    def from_environment(cls) -> Self | None:
        """What the variable says, which is taken away; None when this process has everything to itself."""
        said = os.environ.pop(VARIABLE, None)  # not for a pytest that a test starts
        if not said:
            return None
        place, _, folder = said.partition(":")
        number, _, of = place.partition("/")
        return cls(int(number), int(of), Path(folder))

    def taken(self, files: Sequence[Path]) -> Iterator[Path]:
        """The files that are this process's, each claimed when it is asked for.

        Each process begins at a place of its own, so that what a service's tests need is mostly made in one process.
        """
        begin = len(files) * (self.number - 1) // self.of
        for file in (*files[begin:], *files[:begin]):
            if self._claim(file):
                yield file

    def _claim(self, file: Path) -> bool:
        try:
            (self.folder / str(file).replace("/", "%")).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run what this process takes; pytest's own loop when there is nobody to share with."""
    share = Share.from_environment()
    if share is None or session.config.option.collectonly or session.testsfailed:
        return None
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in session.items:
        by_file.setdefault(item.path, []).append(item)
    mine = chain.from_iterable(by_file[path] for path in share.taken(list(by_file)))
    current = next(mine, None)
    while current is not None:
        following = next(mine, None)  # claimed now, because fixtures end or stay by what comes next
        current.config.hook.pytest_runtest_protocol(item=current, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        current = following
    return True
