"""Whoever is woken by an alert must know how urgent it is, what it means, and where to read on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.alerts.rendered import texts

from .documents import anchors
from .tree import ROOT, is_test, python_files

SERIES = re.compile(r"\b(?<!:)suuupra_[a-z0-9_]+\b")
SUFFIX = re.compile(r"_(?:bucket|count|sum|total)$")


def alerts() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, text in texts().items():
        for group in yaml.safe_load(text)["groups"]:
            yield from ((f"{name}: {rule['alert']}", rule) for rule in group["rules"] if "alert" in rule)


def faults(rule: dict[str, Any]) -> Iterator[str]:
    notes = rule.get("annotations", {})
    if rule.get("labels", {}).get("severity") not in {"page", "ticket"}:
        yield "labels.severity is page or ticket"
    if not notes.get("summary"):
        yield "annotations.summary says what is wrong"
    path, _, anchor = notes.get("runbook", "").partition("#")
    target = ROOT / path
    if not (path.endswith(".md") and target.is_file() and anchor in anchors(target.read_text())):
        yield f"annotations.runbook leads to a heading of a page in this repository, not to {path}#{anchor}"


def test_every_alert_says_how_urgent_it_is_and_leads_to_its_runbook() -> None:
    assert [f"{name}: {fault}" for name, rule in alerts() for fault in faults(rule)] == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"labels": {}}, "labels.severity"),
        ({"annotations": {"runbook": "docs/runbooks/alerts.md#nopodanswers"}}, "annotations.summary"),
        ({"annotations": {"summary": "x", "runbook": "docs/runbooks/alerts.md#no-such"}}, "no-such"),
    ],
)
def test_an_alert_that_leads_nowhere_is_found(change: dict[str, Any], fault: str) -> None:
    sound = {
        "labels": {"severity": "page"},
        "annotations": {"summary": "x", "runbook": "docs/runbooks/alerts.md#nopodanswers"},
    }
    assert list(faults(sound)) == []
    (found,) = faults(sound | change)
    assert fault in found


def test_every_special_alert_is_made_to_fire_by_a_case() -> None:
    cases = (ROOT / "tests/alerts/test_alerts.py").read_text()
    named = {
        rule["alert"]
        for path in (ROOT / "services").glob("*/ops/alerts.yaml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    }
    assert {name for name in named if f'"{name}"' not in cases} == set()


def measured() -> set[str]:
    """Names of series where they are made; exporters add a suffix to some. What asks for them proves nothing."""
    code = [path for path in python_files() if not is_test(path) and "desired" not in path.parts]
    return {name for path in code for name in SERIES.findall((ROOT / path).read_text())}


def test_every_series_that_an_alert_looks_at_is_one_that_we_measure() -> None:
    asked = {(name, series) for name, rule in alerts() for series in SERIES.findall(rule["expr"])}
    known = measured()
    unknown = {(name, series) for name, series in asked if not {series, SUFFIX.sub("", series)} & known}
    assert unknown == set()
