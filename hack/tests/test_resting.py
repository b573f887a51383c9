"""The user's cluster stands still while tests run, and goes on whatever became of them."""

import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest
from bringup import locks, pins
from bringup.cluster import Cluster
from bringup.job import Job
from bringup.resting import standing_still

ALL = 10_000
"""Cores that no machine has."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A node that is there for Docker: a container of that name in which a program runs."""
    made = Cluster(f"resting-{uuid4().hex[:8]}", 0, 0)
    run = ("docker", "run", "--detach", "--name", made.node, "--network", "none", pins.DEBIAN_IMAGE)
    subprocess.run([*run, "sleep", "infinity"], check=True, capture_output=True)
    try:
        yield made
    finally:
        subprocess.run(["docker", "rm", "--force", made.node], check=True, capture_output=True)
        locks.cluster(made.name).file.unlink(missing_ok=True)


def test_it_stands_still_inside_and_goes_on_after_a_failure(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        with standing_still(cluster, below_cores=ALL):
            assert cluster.state() == "paused"
            assert f"Cluster {cluster.name} stands still" in capsys.readouterr().out
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert cluster.state() == "running"


def test_with_cores_enough_it_is_let_run(cluster: Cluster) -> None:
    with standing_still(cluster, below_cores=0):
        assert cluster.state() == "running"


def test_one_that_another_make_is_at_work_on_is_let_run(cluster: Cluster) -> None:
    with locks.held(locks.cluster(cluster.name)), standing_still(cluster, below_cores=ALL):
        assert cluster.state() == "running"


def test_one_that_is_not_there_is_nobodys_worry() -> None:
    absent = Cluster(f"absent-{uuid4().hex[:8]}", 0, 0)
    with standing_still(absent, below_cores=ALL):
        assert absent.state() == "absent"


def test_whoever_was_killed_meanwhile_left_it_frozen_and_it_is_woken(cluster: Cluster) -> None:
    subprocess.run(["docker", "pause", cluster.node], check=True, capture_output=True)
    cluster.wake(Job("wake"))
    assert cluster.state() == "running"
