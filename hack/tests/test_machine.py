"""What is read off the machine, and what is written into Docker's settings."""

import socket
from itertools import chain
from pathlib import Path

import pytest
from bringup import clusters, images, pins, tools, way
from bringup.cluster import CONFIG, Cluster, with_ports
from bringup.debian import machine_mirrors, mirrors
from bringup.docker import forget_if_dead, has_capability, parse_version, with_runtime, without_runtime
from bringup.golang import packages, packages_of, program_name
from bringup.knobs import Knobs
from bringup.machine import (
    disks,
    foreign_ports,
    memory_available,
    missing_for_tests,
    node_state,
    taken,
    work_of,
)
from bringup.node import KUBERNETES, PARTS, linker
from bringup.pins import required_version
from bringup.refusals import For

CAP_SYS_RESOURCE = 24


def test_capability_is_read_from_the_bounding_set() -> None:
    assert has_capability(CAP_SYS_RESOURCE, "CapEff:\t0\nCapBnd:\t000001ffffffffff\n")
    assert not has_capability(CAP_SYS_RESOURCE, "CapBnd:\t000001fffeffffff\n")


@pytest.mark.parametrize("before", [{}, {"debug": True}, {"runtimes": {"other": {"path": "/x"}}}])
def test_our_runtime_leaves_as_it_came(before: dict[str, object]) -> None:
    during = with_runtime(before)
    assert during["default-runtime"] == "within-bounds"
    assert without_runtime(during) == before


def test_another_default_runtime_is_left_alone() -> None:
    theirs: dict[str, object] = {"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": "/n"}}}
    assert without_runtime(theirs) == theirs


@pytest.mark.parametrize(
    ("text", "version"), [("20.10.24+dfsg1", (20, 10, 24)), ("go1.26", (1, 26)), ("", None), ("devel", None)]
)
def test_versions(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


def test_memory_is_what_can_be_had_without_swapping() -> None:
    assert memory_available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n") == 2048 * 1024


def test_a_port_somebody_listens_on_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert taken(port)
    assert not taken(port)


def test_a_port_that_only_root_may_listen_on_is_taken_when_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(socket.socket, "bind", refused)
        assert taken(port)
    assert not taken(port)


def test_ports_are_put_into_the_one_configuration() -> None:
    moved = with_ports(CONFIG.read_text(), {30080: 18080, 30090: 19090})
    assert "containerPort: 30080, hostPort: 18080" in moved
    assert "containerPort: 30090, hostPort: 19090" in moved


def test_a_configuration_without_that_port_is_an_error() -> None:
    with pytest.raises(ValueError, match="31000 0 times"):
        with_ports(CONFIG.read_text(), {31000: 1})


def test_mirrors_are_the_machines_own() -> None:
    sites = [
        "https://deb.nodesource.com/node_20.x",
        "http://mirror.example/debian",
        "http://sec.example/debian-security",
    ]
    assert machine_mirrors(sites) == ("http://mirror.example/debian", "http://sec.example/debian-security")
    assert machine_mirrors([]) == (None, None)


def test_a_mirror_knob_brings_its_security_archive() -> None:
    knobs = Knobs(debian_mirror="http://mirror.example/debian/")
    assert mirrors(knobs) == ("http://mirror.example/debian/", "http://mirror.example/debian-security")


@pytest.mark.parametrize(
    ("package", "program"),
    [
        ("sigs.k8s.io/kind", "kind"),
        ("helm.sh/helm/v3/cmd/helm", "helm"),
        ("go.etcd.io/etcd/server/v3", "etcd"),
        ("k8s.io/kubernetes/cmd/kubeadm", "kubeadm"),
    ],
)
def test_program_names(package: str, program: str) -> None:
    assert program_name(package) == program


def test_tools_are_read_in_both_spellings() -> None:
    read = packages_of("module x\n\ntool example.com/a\n\ntool (\n\texample.com/b\n\texample.com/c\n)\n")
    assert read == {"a": "example.com/a", "b": "example.com/b", "c": "example.com/c"}


def test_every_program_that_is_compiled_is_a_tool_of_the_one_module() -> None:
    compiled = {*KUBERNETES, *PARTS, *tools.PROGRAMS, *chain.from_iterable(images.COMPILED.values())}
    assert packages().keys() == compiled


def test_versions_come_from_go_mod() -> None:
    assert required_version("require a.b/c v1.2.3\n", "a.b/c") == "v1.2.3"
    assert required_version("require (\n\ta.b/c v1.2.3 // indirect\n)\n", "a.b/c") == "v1.2.3"
    assert f"gitVersion={pins.local_node().split(':')[1]}" in linker()


@pytest.mark.parametrize(
    ("knobs", "built", "pulled", "debian", "taken_way"),
    [
        (Knobs(way="registry"), True, False, True, "registry"),
        (Knobs(way="packages"), False, True, True, "packages"),
        (Knobs(), True, False, True, "packages"),
        (Knobs(), False, True, True, "registry"),
        (Knobs(), False, False, True, None),
        (Knobs(), True, False, False, None),
    ],
)
def test_a_registry_is_asked_only_where_nothing_else_tells(
    knobs: Knobs, taken_way: str | None, *, built: bool, pulled: bool, debian: bool
) -> None:
    choice = way.known(knobs, node_built=built, node_pulled=pulled, debian_there=debian)
    assert (choice.way if choice else None) == taken_way


def process(proc: Path, pid: int, name: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(f"{name}\n")


@pytest.mark.parametrize("says", ["41\n", "42", ""])
def test_the_pid_file_of_a_daemon_that_is_gone_is_removed(tmp_path: Path, says: str) -> None:
    process(tmp_path, 42, "another")
    file = tmp_path / "docker.pid"
    file.write_text(says)
    assert not forget_if_dead(file, "dockerd", tmp_path)
    assert not file.exists()
    assert not forget_if_dead(file, "dockerd", tmp_path)


def test_the_pid_file_of_a_daemon_that_lives_stays(tmp_path: Path) -> None:
    process(tmp_path, 42, "dockerd")
    file = tmp_path / "docker.pid"
    file.write_text("42")
    assert forget_if_dead(file, "dockerd", tmp_path)
    assert file.exists()


def test_one_disk_has_to_hold_all_that_lies_on_it(tmp_path: Path) -> None:
    (disk,) = disks([(tmp_path / "not" / "yet", 3, "first"), (tmp_path, 4, "second")])
    assert (disk.path, disk.needed, disk.fix) == (str(tmp_path), 7, "first")
    assert disk.free > 0


@pytest.mark.parametrize(
    ("knobs", "wanted", "work"),
    [
        (Knobs(), [clusters.of_user(Knobs())], "up"),
        (Knobs().for_tests(), [clusters.of_tests(Knobs()), clusters.of_operator_tests(Knobs())], "test"),
        (Knobs().for_tests(), [], "fast test"),
    ],
)
def test_what_is_asked_for(knobs: Knobs, wanted: list[Cluster], work: str) -> None:
    assert work_of(knobs, wanted) == work


def test_a_port_that_another_has_is_foreign_and_one_of_the_clusters_own_node_is_not() -> None:
    with socket.socket() as other, socket.socket() as gone:
        for each in (other, gone):
            each.bind(("127.0.0.1", 0))
        other.listen()
        http, metrics = other.getsockname()[1], gone.getsockname()[1]
        gone.close()
        cluster = clusters.of_operator_tests(
            Knobs(operator_test_http_port=http, operator_test_metrics_port=metrics)
        )
        assert [*foreign_ports(cluster, ())] == [(http, "UP_OPERATOR_TEST_HTTP_PORT")]
        assert [*foreign_ports(cluster, {http})] == []


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("absent", "absent"),
        ("running", "running"),
        ("paused", "running"),
        ("exited", "stopped"),
        ("created", "stopped"),
    ],
)
def test_states_of_the_node(told: str, state: str) -> None:
    assert node_state(told) == state


@pytest.mark.parametrize(
    ("here", "work", "missing"),
    [
        ((), "fast test", ["curl"]),
        ((), "test", ["curl", "chromium", "npm"]),
        (("curl", "chromium"), "test", ["npm"]),
        (("curl", "chromium", "npm"), "test", []),
    ],
)
def test_programs_that_tests_run_are_missed_by_name(
    here: tuple[str, ...], work: For, missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in here:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = missing_for_tests(work)
    assert list(found) == missing
    assert found.get("npm", "the journeys") == "the journeys"
