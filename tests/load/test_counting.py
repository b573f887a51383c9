"""What a run took of the node is a mean of the time in which something went on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .counting import Counted
from .footprint import Reading, Snapshot

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def node(seconds: float, core_seconds: float) -> Snapshot:
    reading = Reading(BEGIN + timedelta(seconds=seconds), core_seconds, 0)
    return {("", ""): reading, ("suuupra", "web-1/web"): reading}


def test_waiting_for_journals_that_never_come_is_not_counted() -> None:
    counted = Counted([(node(0, 0), 1.0), (node(20, 36), 5.0), (node(140, 60), 6.0)])
    cores, buyers, most = counted.until((BEGIN + timedelta(seconds=15)).timestamp())
    assert (cores, buyers) == pytest.approx((1.8, 0.2))
    assert most.startswith("web 100%")


def test_a_run_whose_last_journal_is_newer_than_any_reading_is_counted_to_its_end() -> None:
    counted = Counted([(node(0, 0), 0.0), (node(20, 36), 4.0)])
    assert counted.until((BEGIN + timedelta(seconds=21)).timestamp())[:2] == pytest.approx((1.8, 0.2))
