"""How far an import is, for whoever watches: a bar on a terminal, plain lines in a log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.content.usecases.importing.apply import Watch


class _Lines:
    """One line per step: a log has no cursor to move."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._done = self._total = 0

    def begin(self, stage: str, total: int) -> None:
        self._stage, self._done, self._total = stage, 0, total

    def step(self, what: str) -> None:
        self._done += 1
        self._console.print(f"{self._stage} {self._done}/{self._total}: {what}", markup=False)


class _Bars:
    """A bar per stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = TaskID(0)

    def begin(self, stage: str, total: int) -> None:
        self._task = self._progress.add_task(stage, total=total, what="")

    def step(self, what: str) -> None:
        self._progress.update(self._task, advance=1, what=what[:50])


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """A watch that fits the console."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress)
