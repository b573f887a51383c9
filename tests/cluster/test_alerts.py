"""Alerts on a cluster: what the operator makes of each resource, and of its code's ops/, is what Prometheus runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.alerts.rendered import texts

from .kube import INFRA, WORKLOADS, Kube, eventually

pytestmark = pytest.mark.cluster

RULES = f"/api/v1/namespaces/{INFRA}/services/prometheus:9090/proxy/api/v1/rules"
TWIN: dict[str, Any] = {
    "apiVersion": "suuupra.io/v1alpha1",
    "kind": "SuuupraService",
    "metadata": {"name": "web-twin", "namespace": WORKLOADS},
    "spec": {"service": "web", "replicas": {"min": 0}},
}


def loaded(kube: Kube) -> dict[str, list[dict[str, Any]]]:
    """Rule file → the rules of it that Prometheus runs, and how each fared."""
    groups = json.loads(kube.run("get", "--raw", RULES).stdout)["data"]["groups"]
    found: dict[str, list[dict[str, Any]]] = {}
    for group in groups:
        found.setdefault(group["file"].rpartition("/")[2], []).extend(group["rules"])
    return found


def expected() -> dict[str, list[str]]:
    """Rule file → names of its rules, as this repository's services have them."""
    return {
        name: [
            rule.get("alert") or rule["record"]
            for group in yaml.safe_load(text)["groups"]
            for rule in group["rules"]
        ]
        for name, text in texts().items()
    }


def names(kube: Kube) -> dict[str, list[str]]:
    return {file: [rule["name"] for rule in rules] for file, rules in loaded(kube).items()}


def test_o12_prometheus_runs_the_generated_and_the_special_rules_of_every_resource(kube: Kube) -> None:
    eventually(lambda: expected().items() <= names(kube).items(), 60, f"{sorted(expected())} are loaded")
    assert "suuupra_content-rules_special.yaml" in names(kube)
    eventually(
        lambda: {rule["health"] for rules in loaded(kube).values() for rule in rules} == {"ok"},
        60,
        "every rule was evaluated without an error",
    )


def test_o12_special_alerts_come_and_go_with_a_resource_of_the_code(kube: Kube) -> None:
    file = "suuupra_web-twin-rules_special.yaml"
    kube.apply(TWIN)
    try:
        eventually(lambda: file in names(kube), 30, "the twin of web has the alerts that are special to web")
        rules = loaded(kube)[file]
        assert {rule["labels"]["resource"] for rule in rules} == {"web-twin"}
        assert all('resource="web-twin"' in rule["query"] for rule in rules)
    finally:
        kube.delete("suuupraservice", "web-twin")
    eventually(lambda: file not in names(kube), 30, "they went with it")


def test_o1_alerts_deleted_by_hand_are_back(kube: Kube) -> None:
    before = kube.get("configmap", "content-rules")["metadata"]["uid"]
    kube.delete("configmap", "content-rules", "--wait=false")

    def again() -> bool:
        found = kube.get("configmap", "content-rules")
        return bool(found) and found["metadata"]["uid"] != before and "special.yaml" in found["data"]

    eventually(again, 5, "ConfigMap content-rules is there again")
