"""What holds for every chart: helm's own lint, renders as reviewed, restricted pods, wrong values refused by name."""

from __future__ import annotations

import pytest

from charts.tests.rendering import Chart, compare, helm, pods, without_chance

INFRA, SUUUPRA = Chart("suuupra-infra", "suuupra-infra"), Chart("suuupra", "suuupra-system")
EVERY = pytest.mark.parametrize("chart", [INFRA, SUUUPRA], ids=lambda chart: chart.name)
PROFILES = pytest.mark.parametrize("profile", ["local", "staging"])


def options(chart: Chart, profile: str) -> tuple[str, ...]:
    return chart.staging if profile == "staging" else ()


@EVERY
@PROFILES
def test_lint_has_nothing_to_say(chart: Chart, profile: str) -> None:
    done = helm("lint", "--strict", str(chart.path), *options(chart, profile))
    assert done.returncode == 0, done.stdout + done.stderr


@PROFILES
def test_the_backing_servers_render_as_reviewed(profile: str) -> None:
    compare(f"infra-{profile}", without_chance(INFRA.render(*options(INFRA, profile))))


@PROFILES
def test_the_operator_renders_as_reviewed(profile: str) -> None:
    """Definitions apart, which are generated and have a test of their own."""
    without = ("--set", "crds.enabled=false")
    compare(f"suuupra-{profile}", SUUUPRA.text(*without, *options(SUUUPRA, profile)))


@EVERY
@PROFILES
def test_every_pod_passes_restricted_pod_security(chart: Chart, profile: str) -> None:
    for name, spec in pods(chart.render(*options(chart, profile))):
        security = spec["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert not any("hostPath" in volume for volume in spec.get("volumes", [])), name


@EVERY
@PROFILES
def test_no_pod_is_told_services_as_environment(chart: Chart, profile: str) -> None:
    """SUUUPRA_OPERATOR_PORT=tcp://... would be taken for a setting."""
    found = dict(pods(chart.render(*options(chart, profile))))
    assert found
    assert {name: spec.get("enableServiceLinks") for name, spec in found.items()} == dict.fromkeys(
        found, False
    )


@EVERY
@PROFILES
def test_every_container_is_confined_and_bounded(chart: Chart, profile: str) -> None:
    for name, spec in pods(chart.render(*options(chart, profile))):
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"], name
            assert not security["allowPrivilegeEscalation"], name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


@EVERY
def test_there_is_a_helm_test(chart: Chart) -> None:
    hooks = [item["metadata"].get("annotations", {}).get("helm.sh/hook") for item in chart.render()]
    assert "test" in hooks


@pytest.mark.parametrize(
    ("chart", "option", "told"),
    [
        (INFRA, "kafka.heap=big", "'/kafka/heap': 'big' does not match"),
        (INFRA, "kafka.storage=lots", "'/kafka/storage': 'lots' does not match"),
        (INFRA, "prometheus.nodePort=80", "'/prometheus/nodePort'"),
        (INFRA, "objects.external.endpoint=s3", "'/objects/external/endpoint': 's3' does not match"),
        (INFRA, "kafak.enabled=true", "additional properties 'kafak' not allowed"),
        (INFRA, "postgres.enabled=perhaps", "'/postgres/enabled': got string, want boolean"),
        (INFRA, "images=null", "missing property 'images'"),
        (SUUUPRA, "replicas=0", "'/replicas': minimum: got 0, want 1"),
        (SUUUPRA, "gateway.type=Door", "'/gateway/type': value must be one of"),
        (SUUUPRA, "gateway.nodePort=80", "'/gateway/nodePort': minimum: got 80, want 30,000"),
        (SUUUPRA, "gateway.namespace=shop", "gateway.namespace: shop is not one of watchNamespaces"),
        (SUUUPRA, "watchNamespaces={}", "'/watchNamespaces/0'"),
        (SUUUPRA, "watchNamespaces={A_b}", "'/watchNamespaces/0': 'A_b' does not match"),
        (SUUUPRA, "infra.adminSecrets=all", "'/infra/adminSecrets': got string, want array"),
        (SUUUPRA, "operator.resources.limits.memory=lots", "'/operator/resources/limits/memory'"),
        (SUUUPRA, "operator.driftSeconds=60", "'/operator/driftSeconds': maximum: got 60, want 30"),
        (SUUUPRA, "networkPolicy.backendPorts={9153}", "networkPolicy.backendPorts: 9153 must stay closed"),
        (SUUUPRA, "images.tags.operator=a b", "'/images/tags/operator': 'a b' does not match"),
        (SUUUPRA, "operator=null", "missing property 'operator'"),
        (SUUUPRA, "colour=red", "additional properties 'colour' not allowed"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(chart: Chart, option: str, told: str) -> None:
    done = chart.template("--set", option)
    assert done.returncode != 0
    assert told in done.stderr
