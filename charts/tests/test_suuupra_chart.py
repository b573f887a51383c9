"""charts/suuupra as it is rendered: the operator, its rights, the way in."""

from __future__ import annotations

import re

import pytest
import yaml
from suuupra_operator.desired.network import servers_of
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec

from charts.tests.rendering import CHARTS, Chart, Object, named

CHART = Chart("suuupra", "suuupra-system")


def rules(objects: list[Object]) -> list[tuple[Object, Object]]:
    """Each role with each of its rules."""
    return [
        (item, rule) for item in objects if item["kind"] in ("Role", "ClusterRole") for rule in item["rules"]
    ]


@pytest.mark.parametrize("options", [(), CHART.staging], ids=["local", "staging"])
def test_o26_no_rule_has_a_wildcard_or_leads_to_more_rights(options: tuple[str, ...]) -> None:
    for role, rule in rules(CHART.render(*options)):
        words = {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
        assert not words & {"*", "escalate", "bind", "impersonate"}, role["metadata"]["name"]
        assert not (role["kind"] == "ClusterRole" and "secrets" in rule["resources"])


@pytest.mark.parametrize(
    ("options", "manifest"),
    [((), "platform.yaml"), (CHART.staging, "profiles/staging.yaml")],
    ids=["local", "staging"],
)
def test_the_operators_own_policy_lets_it_out_to_every_server_it_provides_from(
    options: tuple[str, ...], manifest: str
) -> None:
    document = yaml.safe_load((CHARTS.parent / "manifests" / manifest).read_text())
    platform = SuuupraPlatformSpec.model_validate(document["spec"])
    everything = {"database": {}, "cache": True, "secrets": {}, "buckets": [{"name": "a"}]}
    events = {"events": {"publishes": [{"topic": "a.b"}]}}
    asked = servers_of(SuuupraServiceSpec.model_validate(everything | events), platform)
    egress = named(CHART.render(*options), "NetworkPolicy", "suuupra-operator")["spec"]["egress"]
    anywhere = {port["port"] for rule in egress if "to" not in rule for port in rule["ports"]}
    assert {port for _, port in asked} <= anywhere


def test_the_notes_name_every_definition_that_stays_and_every_folder_of_work() -> None:
    notes = CHART.notes()
    definitions = {
        item["metadata"]["name"] for item in CHART.render() if item["kind"] == "CustomResourceDefinition"
    }
    (told,) = [line for line in notes.splitlines() if "kubectl delete crd" in line]
    assert set(told.partition("kubectl delete crd")[2].split()) == definitions
    (applied,) = [line for line in notes.splitlines() if "kubectl apply -R" in line]
    assert set(re.findall(r"-f (\S+)", applied)) == {"manifests/services", "manifests/rails"}
    assert "kubectl delete crd" not in CHART.notes("--set", "crds.keep=false")


def test_definitions_come_with_the_chart_and_stay_when_it_goes() -> None:
    kept = [item for item in CHART.render() if item["kind"] == "CustomResourceDefinition"]
    names = {item["metadata"]["name"] for item in kept}
    assert {f"{kind}.suuupra.io" for kind in ("paymentrails", "suuupraplatforms", "suuupraservices")} <= names
    assert all(item["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for item in kept)
    assert not [
        item
        for item in CHART.render("--set", "crds.enabled=false")
        if item["kind"] == "CustomResourceDefinition"
    ]


def test_several_operators_are_spread_and_never_all_evicted() -> None:
    one, several = CHART.render(), CHART.render(*CHART.staging)
    assert "PodDisruptionBudget" not in {item["kind"] for item in one}
    assert named(several, "PodDisruptionBudget", "suuupra-operator")["spec"]["maxUnavailable"] == 1
    pod = named(several, "Deployment", "suuupra-operator")["spec"]["template"]["spec"]
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"


def test_a_load_balancer_keeps_the_callers_addresses() -> None:
    service = named(CHART.render(*CHART.staging), "Service", "gateway")["spec"]
    assert (service["type"], service["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert "nodePort" not in service["ports"][0]


def test_the_operator_may_read_the_administrators_accounts_and_no_other_secret() -> None:
    role = named(CHART.render(), "Role", "suuupra-operator-accounts")
    (rule,) = role["rules"]
    assert rule["resourceNames"] == ["postgres-admin", "objects-admin", "valkey-admin", "openbao-admin"]
    assert rule["verbs"] == ["get"]
