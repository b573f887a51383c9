"""Kafka and PostgreSQL hang for ten minutes each (O24), on a cluster of the operator's own, at its usual pace.

    make drill name=outage         (or for another time: python3 hack drill outage SECONDS)

Makes the cluster of operator/tests and its servers, lets both servers hang, Kafka a minute earlier, and removes
everything again. What must hold is asserted on the way, as in `make test`, where an outage is a minute long. Prints the
page that is kept as docs/bench/outage.md; exit code 1 and a traceback when something did not hold.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from on_cluster.api import Api
from on_cluster.launcher import Launcher
from on_cluster.machines import KindCluster, Servers
from on_cluster.outage import Outage
from on_cluster.process import SHORT, Crew, OperatorProcess
from suuupra_operator.settings import Settings

from ..load.report import circumstances

AWAY_SECONDS = 600.0
APART_SECONDS = 60.0
PAGE_BYTES = 4096


def main() -> None:
    """The drill, and its page."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else AWAY_SECONDS
    kind = KindCluster.bring_up()
    try:
        servers = Servers.start()
        try:
            print(asyncio.run(drill(kind, servers, seconds)))
        finally:
            servers.remove()
    finally:
        kind.delete()


async def drill(kind: KindCluster, servers: Servers, seconds: float) -> str:
    """Both outages, one operator that nobody configured."""
    launcher, programs = Launcher.start(), servers.pg_dump_folder()
    async with Api.connected(kind, servers) as api:
        await api.platform()
        crew = Crew(launcher, kind.kubeconfig, programs, kind.operator_image, api.forget_lease)
        try:
            operator = crew.start(**usual())
            await operator.leading()
            outage = Outage(api, operator, seconds, min(APART_SECONDS, seconds / 4))
            before = resident(operator)
            await outage.run()
            return page(outage, before, resident(operator))
        finally:
            await crew.end()
            launcher.end()
            shutil.rmtree(programs)


def usual() -> dict[str, str]:
    """What the tests make short, as it is when nobody sets it."""
    prefix = "SUUUPRA_OPERATOR_"
    settings = Settings().model_dump()
    return {name: str(settings[name.removeprefix(prefix).lower()]) for name in SHORT}


def resident(operator: OperatorProcess) -> float:
    """MiB of memory that the operator holds."""
    pages = int(Path(f"/proc/{operator.pid}/statm").read_text().split()[1])
    return pages * PAGE_BYTES / 2**20


def page(outage: Outage, before: float, after: float) -> str:
    """The recorded drill, as Markdown."""
    facts = " · ".join(f"{name} {value}" for name, value in circumstances())
    each = f"{outage.away / 60:.0f} minutes each"
    rows = [f"| {what} | {seconds:.1f} s |" for what, seconds in outage.times.items()]
    minutes = outage.waited / 60
    rows.append(
        f"| tries by four resources that wait for a server, in {minutes:.1f} minutes without both | {outage.tries:.0f} |"
    )
    rows.append(f"| the operator's memory, before → after | {before:.0f} → {after:.0f} MiB |")
    head = [f"# Kafka and PostgreSQL away, {each}", "", facts, "", *INTRODUCTION, ""]
    return "\n".join([*head, "| what | measured |", "| --- | --- |", *rows])


INTRODUCTION = (
    "Both servers hang: they take connections and answer nothing, which is worse than refusing. Recorded by",
    "[tests/recovery/outage.py](../../tests/recovery/outage.py), which also asserts what O24 promises. The operator reads",
    "the servers every 15 s, so that is what noticing takes at most, and time-outs on top of it.",
)


if __name__ == "__main__":
    main()
