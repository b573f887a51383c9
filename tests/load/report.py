"""What a benchmark hands back, and how a run is printed and kept: figures with their peer, never lone numbers."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "bench"


_HOW_TO_READ = """\
# Benchmarks

`make bench` measures what `make up` brought up and writes one page per benchmark here; `python3 hack bench NAME` runs
one of them. Run it on a machine that does nothing else.

Every page begins with when, on which commit and on which machine it was measured. Its table tells:

- **ours**: the figure, with its unit.
- **beside**: its peer, measured in the same run on the same machine: the bare thing that ours is built on, doing the
  same work. Where nothing can be compared, it is the budget that the figure is held against.
- **ratio**: ours over the peer. Where more is better (a rate), 1.00× means that ours costs nothing on top; where less
  is better (a time, memory), 1.00× means the same.
- **what bounds it**: what would have to change for a better figure.

`order_to_journal` needs a crowd: while it runs the rail has a bank more and a wider limit at the phone, and what learners
`bench0@…` to `bench59@…` bought for one rupee each stays in the books, as everything does. Its times are of those who were
paid, and each row says how many of all they were: where that is not all, the times of the others have no end.

Rates are told per second of one core's time where they could be, so that a shared machine blurs them less. Times are
told by the one who waits, as p50 and p95 or p99.
"""
_BY_HAND = {
    "bring-up": "- [Bring-up, timed](bring-up.md), recorded from the tables that `make up` and `make test` print",
    "outage": "- [Kafka and PostgreSQL away for ten minutes each](outage.md), recorded by tests/recovery/outage.py",
}
"""Pages that no benchmark writes."""


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    `ours` and `peer` carry their units ("3.1 ms", "12,400 events/s"); `ratio` is ours over peer, or "—" where a
    peer makes no sense (then `peer` says what the figure is held against, such as a budget); `bound` says what
    limits it: the next thing that would have to change for a better figure. One that `breaks` its budget is written
    down like the others, and fails the run.
    """

    name: str
    ours: str
    peer: str
    ratio: str
    bound: str
    breaks: bool = False


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


@cache
def commit() -> str:
    """What is measured, asked once: the first page that is kept makes the tree differ from its commit."""
    described = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def circumstances() -> list[tuple[str, str]]:
    """Where and of what a run was made: a figure without them is a rumour."""
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", commit()),
        (
            "machine",
            f"{os.cpu_count()} cores, {memory_gib():.0f} GiB, {platform.system()} {platform.release()}",
        ),
        ("python", platform.python_version()),
    ]


def as_markdown(title: str, figures: Sequence[Figure], note: str = "") -> str:
    """A page; `note` is a paragraph that its figures do not tell."""
    facts = " · ".join(f"{name} {value}" for name, value in circumstances())
    rows = [f"| {f.name} | {f.ours} | {f.peer} | {f.ratio} | {f.bound} |" for f in figures]
    head = ["| what | ours | beside | ratio | what bounds it |", "| --- | --- | --- | --- | --- |"]
    noted = [note, ""] if note else []
    return "\n".join([f"# {title}", "", facts, "", *noted, *head, *rows, ""])


def say(text: str) -> None:
    """A line of progress, with the time of day: a benchmark of minutes must not look as if it hung."""
    print(f"  {datetime.now():%H:%M:%S}  {text}", file=sys.stderr, flush=True)


def show(title: str, figures: Sequence[Figure]) -> None:
    table = Table(title=title)
    for column in ("what", "ours", "beside", "ratio", "what bounds it"):
        table.add_column(column)
    for figure in figures:
        table.add_row(figure.name, figure.ours, figure.peer, figure.ratio, figure.bound)
    Console().print(table)


def keep(slug: str, title: str, figures: Sequence[Figure], note: str = "") -> Path:
    """Write docs/bench/SLUG.md over the last run's; git keeps the history."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    target = RESULTS / f"{slug}.md"
    target.write_text(as_markdown(title, figures, note))
    return target


def index(titles: Mapping[str, str]) -> Path:
    """Write docs/bench/README.md: how to read the pages, and which there are."""
    target = RESULTS / "README.md"
    lines = _BY_HAND | {slug: f"- [{title}]({slug}.md)" for slug, title in titles.items()}
    pages = [line for slug, line in lines.items() if (RESULTS / f"{slug}.md").exists()]
    target.write_text("\n".join([_HOW_TO_READ, *pages, ""]))
    return target
