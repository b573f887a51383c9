"""Rules over several fields of a resource: each that crds/ write is broken by a case that the API server is asked with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from .tree import ROOT

CASES = ROOT / "operator/tests/on_cluster/broken_rules.yaml"
"""Read by test_o2_wrong_fields.py beside it, which breaks each rule at every place where it stands."""


def written(node: Any) -> Iterator[tuple[str, str]]:
    """The message of every rule of a definition, and how it is broken: as it stands, or by a change."""
    for key, child in (
        node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    ):
        if key == "x-kubernetes-validations":
            yield from (
                ("changes" if "oldSelf" in one["rule"] else "stands", one["message"]) for one in child
            )
        yield from written(child)


def test_every_rule_is_broken_by_a_case_and_every_case_breaks_a_rule() -> None:
    rules = {
        rule for path in (ROOT / "crds").glob("*.yaml") for rule in written(yaml.safe_load(path.read_text()))
    }
    cases = yaml.safe_load(CASES.read_text())
    broken = {
        (how, message) for how, messages in cases.items() for message, values in messages.items() if values
    }
    assert rules != set()
    assert rules - broken == set(), f"nothing breaks these: add a case to {CASES.relative_to(ROOT)}"
    assert broken - rules == set(), "no rule says this any more"
