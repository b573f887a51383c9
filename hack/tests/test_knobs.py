"""Knobs: what a user may write, and what is said when it cannot be read."""

from dataclasses import fields
from pathlib import Path

import pytest
from bringup import clusters
from bringup.knobs import PREFIX, KnobError, Knobs, parse_env, read

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_example_names_every_knob_once_with_its_default() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    names = [line.split("=", 1)[0] for line in lines]
    assert sorted(names) == sorted(PREFIX + item.name.upper() for item in fields(Knobs))
    assert read(EXAMPLE.read_text(), {}) == Knobs()


def test_environment_wins_over_the_file() -> None:
    knobs = read("UP_HTTP_PORT=8081\nUP_CLUSTER=file\n", {"UP_HTTP_PORT": "8082", "PATH": "/bin"})
    assert (knobs.http_port, knobs.cluster) == (8082, "file")


def test_another_programs_variable_is_left_alone_and_a_misspelt_knob_is_not() -> None:
    assert read("", {"UP_YOURS_BE_THE_GLORY": "1"}) == Knobs()
    with pytest.raises(KnobError, match="did you mean UP_CLUSTER"):
        read("", {"UP_CLUSTERS": "mine"})


def test_empty_value_means_the_default() -> None:
    assert read("UP_HTTP_PORT=\n", {}).http_port == Knobs().http_port


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1", "1"),
        ("  export A = 1 ", "1"),
        ("A='x # y'", "x # y"),
        ('A="x y"', "x y"),
        ("A=x # why", "x"),
        ("# A=2\nA=3\n\n", "3"),
        ("A=a=b", "a=b"),
    ],
)
def test_env_lines(text: str, value: str) -> None:
    assert parse_env(text) == {"A": value}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("just words", "line 1"),
        ("UP_PROT=1", "did you mean UP_"),
        ("UP_HTTP_PORT=http", "whole number"),
        ("UP_HTTP_PORT=70000", "between 1 and 65535"),
        ("UP_HTTP_PORT=9090", "are both 9090"),
        (
            "UP_OPERATOR_TEST_HTTP_PORT=18080",
            "UP_OPERATOR_TEST_HTTP_PORT and UP_TEST_HTTP_PORT are both 18080",
        ),
        ("UP_OPERATOR_TEST_METRICS_PORT=0", "UP_OPERATOR_TEST_METRICS_PORT must be between"),
        ("UP_WAY=somehow", "auto, registry, packages"),
        ("UP_PROFILE=prod", "local, staging, production"),
        ("UP_CLUSTER=Up_Case", "lower-case"),
        ("UP_CLUSTER=suuupra-test", "UP_CLUSTER and UP_TEST_CLUSTER must differ"),
        ("UP_OPERATOR_TEST_CLUSTER=Mine", "UP_OPERATOR_TEST_CLUSTER must be lower-case"),
        (
            "UP_OPERATOR_TEST_CLUSTER=suuupra",
            "UP_CLUSTER and UP_OPERATOR_TEST_CLUSTER must differ: tests delete theirs",
        ),
    ],
)
def test_bad_knob_is_named_with_its_rule(text: str, told: str) -> None:
    with pytest.raises(KnobError, match=told):
        read(text, {})


def test_no_two_clusters_of_ours_share_a_name_or_a_port() -> None:
    ours = clusters.every(Knobs())
    assert (
        len({cluster.name for cluster in ours})
        == len({port for each in ours for port in each.ports}) / 2
        == 3
    )
    tests, same = clusters.of_tests(Knobs()), Knobs().for_tests()
    assert (tests.name, [*tests.ports]) == (same.cluster, [same.http_port, same.metrics_port])


def test_each_clusters_ports_are_told_with_the_knobs_that_move_them() -> None:
    knobs = read("UP_OPERATOR_TEST_HTTP_PORT=4000\nUP_TEST_METRICS_PORT=4001\n", {})
    told = {port: knob for cluster in clusters.every(knobs) for port, knob in cluster.ports.items()}
    assert told == {
        8080: "UP_HTTP_PORT",
        9090: "UP_METRICS_PORT",
        18080: "UP_TEST_HTTP_PORT",
        4001: "UP_TEST_METRICS_PORT",
        4000: "UP_OPERATOR_TEST_HTTP_PORT",
        19091: "UP_OPERATOR_TEST_METRICS_PORT",
    }
    assert {*told.values()} < {PREFIX + item.name.upper() for item in fields(Knobs)}
