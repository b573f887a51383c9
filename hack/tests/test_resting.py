"""The user's cluster stands still while tests run, and goes on whatever became of them."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from bringup import locks, pins
from bringup.cluster import GATEWAY_NODE_PORT, Cluster
from bringup.job import Job
from bringup.machine import foreign_ports
from bringup.resting import standing_still

ALL = 10_000
"""Cores that no machine has."""


@contextmanager
def node(made: Cluster, *options: str) -> Iterator[Cluster]:
    """A node that is there for Docker: a container of that name in which a program runs."""
    run = ("docker", "run", "--detach", "--name", made.node, *options, pins.DEBIAN_IMAGE, "sleep", "infinity")
    subprocess.run(run, check=True, capture_output=True)
    try:
        yield made
    finally:
        subprocess.run(["docker", "rm", "--force", made.node], check=True, capture_output=True)
        locks.cluster(made.name).file.unlink(missing_ok=True)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with node(Cluster(f"resting-{uuid4().hex[:8]}", 0, 0), "--network", "none") as made:
        yield made


@pytest.fixture
def ports() -> Iterator[Cluster]:
    """One with its gateway's port on a port of this machine that was free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    made = Cluster(f"resting-{uuid4().hex[:8]}", port, 0)
    with node(made, "--publish", f"127.0.0.1:{port}:{GATEWAY_NODE_PORT}"):
        yield made


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


def test_the_ports_of_one_that_stands_still_are_its_own(ports: Cluster) -> None:
    with standing_still(ports, below_cores=ALL):
        assert ports.state() == "paused"
        assert ports.http_port in ports.held_ports()
        assert [*foreign_ports(ports, ports.held_ports())] == []


def test_one_that_somebody_ended_meanwhile_is_told_of_and_fails_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with standing_still(cluster, below_cores=ALL):
        subprocess.run(["docker", "rm", "--force", cluster.node], check=True, capture_output=True)
    assert f"Cluster {cluster.name} is absent: make up brings it back" in capsys.readouterr().out


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
