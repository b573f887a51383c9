"""Refusals: every reason not to start, decided from facts."""

from dataclasses import replace

import pytest
from bringup.knobs import Knobs
from bringup.refusals import (
    GIB,
    Disk,
    Facts,
    For,
    MovedPort,
    Node,
    Refusal,
    machine_kind,
    memory_needed,
    packages_way,
    refusals,
)

GOOD = Facts(
    root=True,
    apt=True,
    docker_client=True,
    docker_server=(20, 10, 24),
    docker_denied=False,
    disks=(Disk("/var/lib/docker", 60 * GIB, 20 * GIB, "free some space"),),
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
        (
            replace(GOOD, disks=(*GOOD.disks, Disk("/home", 9 * GIB, 10 * GIB, "XDG_CACHE_HOME"))),
            "/home has 9.0 GiB free; 10.0 GiB",
            "XDG_CACHE_HOME",
        ),
        (replace(GOOD, memory_free=9 * GIB), "9.0 GiB of memory", "stop something"),
        (replace(GOOD, foreign_ports={8080: "UP_HTTP_PORT"}), "Port 8080", "UP_HTTP_PORT="),
        (replace(GOOD, go=None, go_builds=("kind", "helm")), "Go is missing; kind, helm", "install Go 1.26"),
        (replace(GOOD, go=(1, 25, 1), go_builds=("kind",)), "Go 1.25.1 is too old", "install Go 1.26"),
        (
            replace(GOOD, moved_ports=(MovedPort("suuupra", "UP_HTTP_PORT", 8080, 8081),)),
            "suuupra was made with port 8080, and UP_HTTP_PORT is 8081",
            "set UP_HTTP_PORT=8080, or delete",
        ),
        (
            replace(GOOD, apt=False, missing_for_tests={"chromium": "the journeys"}),
            "chromium for the journeys",
            "install them",
        ),
    ],
)
def test_refusal_says_why_and_what_to_do(facts: Facts, reason: str, fix: str) -> None:
    (refusal,) = refusals(facts, Knobs())
    assert reason in refusal.reason
    assert fix in refusal.fix


@pytest.mark.parametrize(
    ("work", "node", "gib"),
    [
        ("up", "absent", 10),
        ("up", "stopped", 4),
        ("up", "running", 0),
        ("test", "absent", 6),
        ("fast test", "absent", 2),
        ("fast test", "running", 2),
    ],
)
def test_memory_is_asked_for_what_is_still_to_come(work: For, node: Node, gib: int) -> None:
    assert memory_needed(replace(GOOD, work=work, node=node)) == gib * GIB


def test_where_nothing_is_left_to_build_go_is_not_asked_for() -> None:
    tools = replace(GOOD, go=None)
    assert refusals(tools, Knobs(way="registry")) == []
    assert refusals(tools, Knobs(way="packages"))


def test_root_on_debian_needs_no_programs_for_tests() -> None:
    assert refusals(replace(GOOD, missing_for_tests={"curl": "the gateway"}), Knobs()) == []


@pytest.mark.parametrize(
    ("root", "apt", "go", "told"),
    [
        (True, True, (1, 26), None),
        (False, True, (1, 26), "takes root and apt-get"),
        (True, False, (1, 26), "takes root and apt-get"),
        (True, True, None, "Go is missing"),
        (True, True, (1, 25), "Go 1.25 is too old"),
    ],
)
def test_the_packages_way_is_refused_before_it_is_walked(
    *, root: bool, apt: bool, go: tuple[int, ...] | None, told: str | None
) -> None:
    refusal = packages_way(root=root, apt=apt, go=go, why="No registry answered")
    assert (refusal is None) is (told is None)
    assert told is None or (refusal is not None and told in refusal.reason)


def test_the_packages_way_takes_root_and_apt() -> None:
    (refusal,) = refusals(replace(GOOD, root=False), Knobs(way="packages"))
    assert "UP_WAY=packages" in refusal.reason


@pytest.mark.parametrize(
    ("system", "processor", "refused"),
    [("Linux", "x86_64", False), ("Linux", "aarch64", True), ("Darwin", "arm64", True)],
)
def test_a_machine_of_another_kind_is_refused(system: str, processor: str, *, refused: bool) -> None:
    assert (machine_kind(system, processor) is not None) is refused


def test_all_reasons_are_told_at_once() -> None:
    found = refusals(replace(GOOD, disks=(replace(GOOD.disks[0], free=0),), memory_free=0), Knobs())
    told = str(Refusal.several(found))
    assert "memory" in told
    assert "free some space" in told
