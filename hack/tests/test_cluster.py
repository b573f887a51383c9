"""Clusters: which one is worth keeping, and on which ports it was made."""

from typing import Any

import pytest
from bringup.cluster import CONTROL_PLANE_TAINT, DEFAULT_CLASS, unfinished

Object = dict[str, Any]
NODE: Object = {"spec": {}}
RESERVED: Object = {"spec": {"taints": [{"key": CONTROL_PLANE_TAINT, "effect": "NoSchedule"}]}}
STANDARD: Object = {"metadata": {"name": "standard", "annotations": {DEFAULT_CLASS: "true"}}}
OTHER: Object = {"metadata": {"name": "other"}}


def test_a_cluster_with_all_that_kind_gives_one_is_kept() -> None:
    assert unfinished([NODE], [OTHER, STANDARD]) is None


@pytest.mark.parametrize(
    ("nodes", "classes", "missing"),
    [
        ([RESERVED], [STANDARD], "reserved for the control plane"),
        ([NODE], [], "no default StorageClass"),
        ([NODE], [OTHER], "no default StorageClass"),
    ],
)
def test_a_cluster_that_was_cut_off_half_made_is_not_taken_over(
    nodes: list[Object], classes: list[Object], missing: str
) -> None:
    assert missing in (unfinished(nodes, classes) or "")
