"""Refusals: every reason not to start, decided from facts."""

from dataclasses import replace

import pytest
from bringup.knobs import Knobs
from bringup.refusals import GIB, Facts, Refusal, refusals

GOOD = Facts(
    root=True,
    apt=True,
    docker_client=True,
    docker_server=(20, 10, 24),
    docker_denied=False,
    disk_free=60 * GIB,
    disk_path="/var/lib/docker",
    memory_free=16 * GIB,
    go=(1, 26, 8),
)
BARE = replace(GOOD, docker_client=False, docker_server=None)


def test_a_good_machine_is_not_refused() -> None:
    assert refusals(GOOD, Knobs()) == []


def test_a_bare_machine_with_root_is_not_refused() -> None:
    assert refusals(BARE, Knobs()) == []


@pytest.mark.parametrize(
    ("facts", "reason", "fix"),
    [
        (replace(BARE, root=False), "only root can install", "sudo make up"),
        (replace(BARE, root=False, docker_denied=True), "may not use it", "usermod -aG docker"),
        (replace(BARE, apt=False), "no apt-get", "install Docker"),
        (replace(GOOD, docker_server=(19, 3, 15)), "19.3.15 is too old", "20.10"),
        (replace(GOOD, disk_free=19 * GIB), "19.0 GiB free; 20.0 GiB", "free some space"),
        (replace(GOOD, memory_free=9 * GIB), "9.0 GiB of memory", "stop something"),
        (replace(GOOD, foreign_ports={8080: "UP_HTTP_PORT"}), "Port 8080", "UP_HTTP_PORT="),
        (replace(GOOD, go=None), "Go is missing", "install Go 1.26"),
        (replace(GOOD, go=(1, 25, 1)), "Go 1.25.1 is too old", "install Go 1.26"),
    ],
)
def test_refusal_says_why_and_what_to_do(facts: Facts, reason: str, fix: str) -> None:
    (refusal,) = refusals(facts, Knobs())
    assert reason in refusal.reason
    assert fix in refusal.fix


def test_our_own_running_cluster_has_its_memory_and_disk_already() -> None:
    assert refusals(replace(GOOD, cluster_runs=True, memory_free=GIB, disk_free=5 * GIB), Knobs()) == []


def test_a_full_disk_is_refused_even_then() -> None:
    assert refusals(replace(GOOD, cluster_runs=True, disk_free=GIB), Knobs())


def test_no_go_is_fine_where_the_tools_are_there_and_a_registry_has_the_rest() -> None:
    tools = replace(GOOD, go=None, tools_present=True)
    assert refusals(tools, Knobs(way="registry")) == []
    assert refusals(tools, Knobs(way="packages"))


def test_the_packages_way_takes_root_and_apt() -> None:
    (refusal,) = refusals(replace(GOOD, root=False), Knobs(way="packages"))
    assert "UP_WAY=registry" in refusal.fix


def test_all_reasons_are_told_at_once() -> None:
    found = refusals(replace(GOOD, disk_free=0, memory_free=0), Knobs())
    told = str(Refusal.several(found))
    assert "memory" in told
    assert "free some space" in told
