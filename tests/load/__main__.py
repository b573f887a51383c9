"""`make bench`: run the benchmarks, print each beside its peer, keep the results in docs/bench/."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated

import typer

from .report import Figure, keep, show

BENCHES = {
    "events": "Outbox to consumer, beside bare aiokafka",
    "content_reads": "Content reads, beside a bare FastAPI route",
    "gateway": "The gateway's added latency, beside the bare service",
    "operator_ready": "Operator: apply → Ready for 50 resources",
    "footprint": "The platform at rest",
}


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
    for slug, title in BENCHES.items():
        if not only or slug in only:
            figures = measure_of(slug)()
            show(title, figures)
            typer.echo(f"kept in {keep(slug, title, figures)}")


typer.run(main)
