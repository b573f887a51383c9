"""What a benchmark hands back, and how a run is printed and kept: figures with their peer, never lone numbers."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "bench"


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    `ours` and `peer` carry their units ("3.1 ms", "12,400 events/s"); `ratio` is ours over peer, or "—" where a
    peer makes no sense (then `peer` says what the figure is held against, such as a budget); `bound` says what
    limits it: the next thing that would have to change for a better figure.
    """

    name: str
    ours: str
    peer: str
    ratio: str
    bound: str


def percentile(samples: Iterable[float], share: float) -> float:
    """Nearest-rank percentile, `share` in 0..1; an empty sample is an error, not zero."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("no samples were taken")
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def over(ours: float, peer: float) -> str:
    return f"{ours / peer:.2f}×"


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def circumstances() -> list[tuple[str, str]]:
    """Where and of what a run was made: a figure without them is a rumour."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", commit.stdout.strip()),
        (
            "machine",
            f"{os.cpu_count()} cores, {memory_gib():.0f} GiB, {platform.system()} {platform.release()}",
        ),
        ("python", platform.python_version()),
    ]


def as_markdown(title: str, figures: Sequence[Figure]) -> str:
    facts = " · ".join(f"{name} {value}" for name, value in circumstances())
    rows = [f"| {f.name} | {f.ours} | {f.peer} | {f.ratio} | {f.bound} |" for f in figures]
    head = ["| what | ours | beside | ratio | what bounds it |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([f"# {title}", "", facts, "", *head, *rows, ""])


def show(title: str, figures: Sequence[Figure]) -> None:
    table = Table(title=title)
    for column in ("what", "ours", "beside", "ratio", "what bounds it"):
        table.add_column(column)
    for figure in figures:
        table.add_row(figure.name, figure.ours, figure.peer, figure.ratio, figure.bound)
    Console().print(table)


def keep(slug: str, title: str, figures: Sequence[Figure]) -> Path:
    """Write docs/bench/SLUG.md over the last run's; git keeps the history."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    target = RESULTS / f"{slug}.md"
    target.write_text(as_markdown(title, figures))
    return target
