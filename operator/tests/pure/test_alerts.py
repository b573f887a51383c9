"""O12: which alerts a resource has: its SLO's, its workers', and its code's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from suuupra_operator import rule_files
from suuupra_operator.desired.rules import rules

from .samples import subject

SPECIAL = """
groups:
  - name: stock
    rules:
      - alert: ShopIsEmpty
        expr: sum(shop_articles{namespace="$namespace",resource="$resource"}) == 0
        labels: {severity: page}
        annotations: {summary: "Nothing to sell, since {{ $value }}"}
"""


def loaded(spec: dict[str, Any] | None = None, special: str = "", **more: Any) -> dict[str, Any]:
    """File → its groups, as Prometheus reads them."""
    data = rules(subject(spec, **more), special)["data"]
    return {name: yaml.safe_load(text)["groups"] for name, text in data.items()}


def alerts(spec: dict[str, Any]) -> list[tuple[str, str]]:
    (group,) = loaded(spec)["rules.yaml"]
    return [
        (rule["alert"], rule["labels"].get("component", ""))
        for rule in group["rules"]
        if rule.get("alert") and not rule["alert"].startswith("ErrorBudget")
    ]


def test_o12_a_service_with_events_has_alerts_about_its_worker() -> None:
    worker = ["WorkerCannotWork", "EventsWaitUnpublished", "EventsWaitForAnother", "EventsDeadLettered"]
    pods = [("NoPodAnswers", "serve"), ("NoPodAnswers", "work")]
    events = {"events": {"publishes": [{"topic": "order.created"}]}}
    assert alerts({}) == [("LatencyAbovePromise", ""), ("NoPodAnswers", "serve")]
    assert alerts(events) == [("LatencyAbovePromise", ""), *pods, *[(name, "") for name in worker]]
    assert alerts(events | {"workers": {"replicas": 0}}) == alerts({})


def test_o12_nobody_is_told_that_a_stopped_service_does_not_answer() -> None:
    assert alerts({"replicas": {"min": 0}}) == [("LatencyAbovePromise", "")]


def test_o12_special_alerts_are_in_a_file_of_their_own_and_about_this_resource() -> None:
    files = loaded(special=SPECIAL)
    (group,) = files["special.yaml"]
    (rule,) = group["rules"]
    assert group["name"] == "suuupra-shop-stock"
    assert rule["expr"] == 'sum(shop_articles{namespace="suuupra",resource="shop"}) == 0'
    assert rule["labels"] == {
        "severity": "page",
        "namespace": "suuupra",
        "resource": "shop",
        "service": "shop",
    }
    assert rule["annotations"]["summary"] == "Nothing to sell, since {{ $value }}"


@pytest.mark.parametrize("text", ["", "groups: []", "groups:"])
def test_o12_a_service_without_special_alerts_has_no_such_file(text: str) -> None:
    assert list(loaded(special=text)) == ["rules.yaml"]


def test_two_resources_of_one_code_look_at_their_own_pods() -> None:
    """The scrape calls a pod's code `service` and its resource `resource`."""
    text = rules(subject({"service": "store"}))["data"]["rules.yaml"]
    assert 'resource="shop"' in text
    assert 'service="shop"' not in text
    assert "service: store" in text


def test_rule_files_are_found_by_the_service_s_name(tmp_path: Path) -> None:
    folder = tmp_path / "upi_core" / "ops"
    folder.mkdir(parents=True)
    (folder / "alerts.yaml").write_text(SPECIAL)
    (tmp_path / "bare").mkdir()
    assert rule_files.read(tmp_path) == {"upi-core": SPECIAL}
    assert rule_files.read(None) == {}


def test_a_rule_file_that_is_no_yaml_stops_the_operator_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "shop" / "ops").mkdir(parents=True)
    (tmp_path / "shop" / "ops" / "alerts.yaml").write_text("groups: [")
    with pytest.raises(yaml.YAMLError):
        rule_files.read(tmp_path)
