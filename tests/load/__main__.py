"""`make bench`: run the benchmarks, print each beside its peer, keep the results in docs/bench/."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated

import typer

from .report import Figure, commit, index, keep, say, show

BENCHES = {
    "footprint": "The platform at rest",
    "operator_ready": "Operator: apply → Ready for 50 resources",
    "gateway": "The gateway's added latency, beside the bare service",
    "content_reads": "Content reads, beside a bare FastAPI route",
    "events": "Outbox to consumer, beside bare aiokafka",
    "order_to_journal": "From order.created to the journal, beside the bare hops",
    "switch": "The switch's own overhead, beside the bare HTTP hops",
    "ledger": "Ledger postings, beside pgbench's TPC-B and bare set-based batching",
    "logins": "Logins, beside bare Argon2id",
    "refresh": "Token refreshes, beside bare signing and a commit",
}
"""In the order in which they run: what rests is measured before anything is disturbed."""
NOTES = {
    "footprint": "The budget is that of twelve services with the money path. The first three services had 4 GiB and"
    " 0.5 core,\nand took [1.71 GiB and 0.284 core](bring-up.md) with all of Kubernetes.",
    "operator_ready": "The pods are of [a service](../../tests/load/idle/__init__.py) that needs no server: databases and"
    " topics would be\nthose servers' times. The bare peer is a Deployment of the very same pod, and nothing beside it.",
}
"""What the reader of a page should know besides its figures."""


def measure_of(slug: str) -> Callable[[], Sequence[Figure]]:
    found: Callable[[], Sequence[Figure]] = import_module(f"tests.load.{slug}").measure
    return found


def main(
    only: Annotated[
        list[str] | None, typer.Argument(help=f"any of: {', '.join(BENCHES)}; default all")
    ] = None,
) -> None:
    """Each benchmark runs its peer in the same run. Those of the cluster use the one that `make up` made."""
    unknown = set(only or ()) - BENCHES.keys()
    if unknown:
        raise typer.BadParameter(
            f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}"
        )
    chosen = [slug for slug in BENCHES if not only or slug in only]
    say(f"measuring {commit()}")
    faults = [
        fault for number, slug in enumerate(chosen, 1) for fault in _run(slug, f"[{number}/{len(chosen)}]")
    ]
    typer.echo(f"kept in {index(BENCHES)}")
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)


def _run(slug: str, place: str) -> Sequence[str]:
    """What is wrong: no figures, or some beyond their budget. One that fails leaves the others their turn."""
    title, began = BENCHES[slug], time.monotonic()
    say(f"{place} {title}")
    try:
        figures = measure_of(slug)()
    except Exception as error:  # noqa: BLE001 - the last word on any error of a benchmark: it is printed whole
        traceback.print_exc()
        return [f"{slug} gave no figures: {error or type(error).__name__}"]
    show(title, figures)
    say(f"{place} took {time.monotonic() - began:.0f} s")
    keep(slug, title, figures, NOTES.get(slug, ""))
    return [f"{slug}: {f.name} is {f.ours}, beyond {f.peer}" for f in figures if f.breaks]


typer.run(main)
