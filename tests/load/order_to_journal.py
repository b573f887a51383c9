"""From order.created to the journal in the ledger, by orders placed and paid through the gateway of `make up`'s cluster.

The clock starts with the order's own `created_at` and stops with the journal's `posted_at`; both are taken inside a
transaction, a commit before others can see them, and all clocks are one machine's. In between a buyer acts as fast as
the platform answers (buyers.py), at a steady rate for each run. Times are of those who were paid, and each says how many
they were. Beside it stand the bare hops that the way is made of,
measured on the same servers while nothing else went on: what Kafka, PostgreSQL and HTTP alone would take.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import aiohttp
import uvloop

from .buyers import Bought, Crowd, Journal
from .by_hand import platform_of
from .cluster import Client, connected
from .counting import counting
from .report import Figure, over, percentile, say
from .stage import Bare, Tokens, bare_hops, make_people, on_sale, widened_rail

WARM: Final = (5.0, 30)
LADDER: Final = ((1.0, 30), (2.0, 60), (3.0, 90), (5.0, 150))
"""Rates that are climbed, half a minute each, up to the first at which somebody is not paid."""
RUNS: Final = ((10.0, 300), (20.0, 400), (50.0, 500))
"""Orders a second, and how many."""
GOAL_MS: Final = 500.0
"""For p95 at the highest rate."""
CREDITED_AFTER_MS: Final = 20.0
"""The latency of the merchant's bank, as manifests/rails/upi.yaml has it; the payers' has none."""


@dataclass(frozen=True)
class Hop:
    """A part of the way, and what it is made of when nothing of ours is on it."""

    name: str
    kafka: int
    commits: int
    http: int
    waits_ms: float = 0.0

    def bare_ms(self, bare: Bare, share: float) -> float:
        """Milliseconds of the bare hops, each at this share of its own samples."""
        parts = ((self.kafka, bare.kafka), (self.commits, bare.commit), (self.http, bare.http))
        return self.waits_ms + sum(count * percentile(samples, share) * 1000 for count, samples in parts)


HOPS: Final = (
    # the order and the intent are committed; the buyer looks once
    Hop("order.created → payable", kafka=1, commits=2, http=1),
    # an attempt and a request on the phone, each committed
    Hop("payable → approved", kafka=0, commits=2, http=2),
    # the approval, six messages and the confirmation; a commit of whoever takes each
    Hop("approved → payment.succeeded", kafka=0, commits=8, http=8, waits_ms=CREDITED_AFTER_MS),
    Hop("payment.succeeded → journal", kafka=1, commits=0, http=0),
)


@dataclass(frozen=True)
class Run:
    """What came of so many orders a second."""

    offered: float
    bought: Sequence[Bought]
    journals: dict[str, Journal]
    faults: Sequence[str]
    cores: float
    """Of the node, on average from before the first order until up to 15 s after the last journal."""
    buyers_cores: float
    """Of the buyers' own process in the same time."""
    busiest: str

    @property
    def paid(self) -> list[tuple[Bought, Journal]]:
        return [(one, self.journals[one.order]) for one in self.bought if one.order in self.journals]

    @property
    def reached(self) -> float:
        """Journals a second, from the first order to the last journal."""
        if not self.paid:
            return 0.0
        began = min(one.created for one, _ in self.paid)
        return len(self.paid) / (max(journal.posted for _, journal in self.paid) - began)

    @property
    def asked(self) -> int:
        """Everybody who came."""
        return len(self.faults) + len(self.bought)

    @property
    def lost(self) -> int:
        """Orders without a journal."""
        return self.asked - len(self.paid)

    @property
    def share(self) -> str:
        """Whom the times are of: nobody waits longer than one who is not paid at all, and that one has no time."""
        return f"{len(self.paid)} of {self.asked} paid"

    def whole_ms(self, share: float) -> float:
        """From the order's creation to its journal's."""
        return percentile([journal.posted - one.created for one, journal in self.paid], share) * 1000

    def hops_ms(self, share: float) -> list[float]:
        """Of each of HOPS. They add up to the whole for one order, not for a percentile of all."""
        columns = zip(*(_parts(one, journal) for one, journal in self.paid), strict=True)
        return [percentile(column, share) * 1000 for column in columns]


def _parts(one: Bought, journal: Journal) -> tuple[float, float, float, float]:
    return (
        one.payable - one.created,
        one.approved - one.payable,
        journal.succeeded - one.approved,
        journal.posted - journal.succeeded,
    )


def measure() -> Sequence[Figure]:
    """Widen the rail, measure, put it back."""
    return uvloop.run(_measure())


async def _measure() -> Sequence[Figure]:
    async with connected() as client:
        url = (await platform_of(client)).public_url
        await asyncio.to_thread(make_people)
        say("the rail is widened")
        async with widened_rail(client, url), on_sale(url) as variant:
            bare = await asyncio.to_thread(bare_hops)
            say("the bare hops are measured")
            climbed, runs = await _runs(client, url, variant)
    return figures(bare, climbed, runs, os.cpu_count() or 1)


async def _runs(client: Client, url: str, variant: str) -> tuple[list[Run], list[Run]]:
    """The ladder as far as it was climbed, and the runs at the rates that are told."""
    limits = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(url, connector=limits) as session:
        crowd = Crowd(session, variant)
        carts = iter(await crowd.carts(sum(count for _, count in (WARM, *LADDER, *RUNS))))
        await _run(client, crowd, *WARM, carts)
        climbed: list[Run] = []
        for rate, count in LADDER:
            climbed.append(await _run(client, crowd, rate, count, carts))
            if climbed[-1].lost:
                break
        return climbed, [await _run(client, crowd, rate, count, carts) for rate, count in RUNS]


async def _run(client: Client, crowd: Crowd, rate: float, count: int, left: Iterator[str]) -> Run:
    """So many of the carts that are left; with fresh tokens, which are good for ten minutes."""
    carts = list(islice(left, count))
    crowd.tokens = await asyncio.to_thread(Tokens.now)
    async with counting(client) as counted:
        bought, faults = await crowd.arrive(carts, rate)
        journals = await crowd.journals({one.order for one in bought})
    cores, buyers, most = counted.until(max((one.posted for one in journals.values()), default=0.0))
    made = Run(rate, bought, journals, faults, cores, buyers, most)
    figure = _curve(made, os.cpu_count() or 1)
    say(f"{figure.peer}: {figure.ours}; {figure.bound}")
    for fault in sorted(set(faults))[:3]:
        say(f"  {fault}")
    return made


def figures(bare: Bare, climbed: Sequence[Run], runs: Sequence[Run], cores: int) -> list[Figure]:
    """What is sustained, each rate beside the bare hops, the highest beside its goal, the parts of the way, the curve."""
    lowest, highest = runs[0], runs[-1]
    return [
        _sustained(climbed, cores),
        *(_whole(run, share, bare, cores) for run in (lowest, highest) for share in (0.5, 0.95)),
        _goal(highest, cores),
        *(_hop(place, lowest, bare) for place in range(len(HOPS))),
        *(_curve(run, cores) for run in (*climbed, *runs)),
    ]


def _bare_ms(bare: Bare, share: float) -> float:
    return sum(hop.bare_ms(bare, share) for hop in HOPS)


def _sustained(climbed: Sequence[Run], cores: int) -> Figure:
    """The highest rate of the ladder at which all were paid, beside the next."""
    rates = ", ".join(f"{rate:.0f}" for rate, _ in LADDER)
    name = f"sustained: the highest of {rates} orders/s, half a minute each, at which all are paid"
    whole = [run for run in climbed if not run.lost]
    ours = f"{whole[-1].offered:.0f} orders/s, {_times(whole[-1])}" if whole else "none"
    lossy = climbed[-1] if climbed[-1].lost else None
    peer = f"{lossy.offered:.0f} orders/s: {lossy.share}" if lossy else "the highest that was tried"
    return Figure(name, ours, peer, "—", _bound(whole[-1] if whole else climbed[-1], cores))


def _times(run: Run) -> str:
    return f"p50 {_ms(run.whole_ms(0.5))}, p95 {_ms(run.whole_ms(0.95))}, {run.share}"


def _whole(run: Run, share: float, bare: Bare, cores: int) -> Figure:
    ours, hops = run.whole_ms(share), _bare_ms(bare, share)
    name = f"order.created → journal, {run.offered:.0f} orders/s: p{share * 100:.0f}"
    told = f"{_ms(ours)}, {run.share}"
    return Figure(name, told, f"the bare hops {_ms(hops)}", over(ours, hops), _bound(run, cores))


def _goal(run: Run, cores: int) -> Figure:
    ours, name = run.whole_ms(0.95), f"the same at {run.offered:.0f} orders/s: p95, beside its goal"
    told = f"{_ms(ours)}, {run.share}"
    return Figure(name, told, _ms(GOAL_MS), over(ours, GOAL_MS), _bound(run, cores))


def _hop(place: int, run: Run, bare: Bare) -> Figure:
    hop, share = HOPS[place], 0.5
    ours, hops = run.hops_ms(share)[place], hop.bare_ms(bare, share)
    made_of = [f"{hop.kafka} through Kafka"] * bool(hop.kafka)
    made_of += [f"{hop.commits} commits"] * bool(hop.commits)
    made_of += [f"{hop.http} HTTP"] * bool(hop.http)
    made_of += [f"{hop.waits_ms:.0f} ms of the bank's latency"] * bool(hop.waits_ms)
    p95 = f"p95 {_ms(run.hops_ms(0.95)[place])}, {run.share}"
    name = f"{hop.name}, {run.offered:.0f} orders/s: p50"
    return Figure(name, f"{_ms(ours)} ({p95})", f"bare {_ms(hops)}", over(ours, hops), ", ".join(made_of))


def _curve(run: Run, cores: int) -> Figure:
    ours = f"{run.reached:.1f} journals/s, {_times(run)}" if run.paid else run.share
    peer = f"{run.offered:.0f} orders/s offered"
    return Figure("reached", ours, peer, over(run.reached, run.offered), _bound(run, cores))


def _bound(run: Run, cores: int) -> str:
    return f"{run.cores:.1f} of {cores} cores, the buyers {run.buyers_cores:.1f} more: {run.busiest}"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"
