"""charts/suuupra-infra as it is rendered: what each server is given, and what a wrong value is told."""

from __future__ import annotations

import pytest
import yaml

from charts.tests.rendering import Chart, Object, named, pods, workloads

CHART = Chart("suuupra-infra", "suuupra-infra")


@pytest.fixture(scope="module")
def local() -> list[Object]:
    return CHART.render()


def test_every_server_is_probed(local: list[Object]) -> None:
    for name, spec in workloads(local):
        for container in spec["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= container.keys(), name


def test_stateful_servers_have_claims(local: list[Object]) -> None:
    claims = {
        item["metadata"]["name"]: item["spec"]["volumeClaimTemplates"]
        for item in local
        if item["kind"] == "StatefulSet"
    }
    assert claims.keys() == {"kafka", "postgres", "valkey", "objects", "openbao", "prometheus"}
    assert all(claim[0]["metadata"]["name"] == "data" for claim in claims.values())


def test_no_secret_passes_through_the_environment_or_a_config_map(local: list[Object]) -> None:
    values = {text for item in local if item["kind"] == "Secret" for text in item["data"].values()}
    for name, spec in pods(local):
        for container in spec["containers"]:
            assert all("secretKeyRef" not in str(entry) for entry in container.get("env", [])), name
    shown = yaml.safe_dump_all([item for item in local if item["kind"] == "ConfigMap"])
    assert not any(value in shown for value in values if len(value) > 20)


def test_requests_leave_room_for_the_platform(local: list[Object]) -> None:
    cpu = memory = 0
    for _, spec in workloads(local):
        for container in spec["containers"]:
            requests = container["resources"]["requests"]
            cpu += int(requests["cpu"].removesuffix("m"))
            memory += int(requests["memory"].removesuffix("Mi"))
    assert cpu <= 250, "thousandths of a core"
    assert memory <= 1024, "MiB"


def test_metrics_api_is_verified_by_the_authority_of_its_certificate(local: list[Object]) -> None:
    registrations = [item for item in local if item["kind"] == "APIService"]
    served = named(local, "Secret", "metrics-server-serving")["data"]
    for registration in registrations:
        assert registration["spec"]["caBundle"] == served["ca.crt"]
        assert "insecureSkipTLSVerify" not in registration["spec"]
    hooks = [item["metadata"]["annotations"]["helm.sh/hook"] for item in registrations]
    assert sorted(hooks) == ["post-install,post-upgrade", "pre-delete"]


def test_prometheus_is_on_the_node_only_when_asked() -> None:
    service = named(CHART.render(), "Service", "prometheus")["spec"]
    assert (service["type"], service["ports"][0]["nodePort"]) == ("NodePort", 30090)
    service = named(CHART.render("--set", "prometheus.nodePort=0"), "Service", "prometheus")["spec"]
    assert service["type"] == "ClusterIP"
    assert "nodePort" not in service["ports"][0]


@pytest.mark.parametrize("setting", ["kafka", "postgres", "valkey", "objects", "openbao", "prometheus"])
def test_server_that_is_off_must_be_somewhere_else(setting: str) -> None:
    done = CHART.template("--set", f"{setting}.enabled=false")
    assert done.returncode != 0
    assert f"/{setting}/external" in done.stderr


def test_staging_runs_no_server_and_says_where_each_is() -> None:
    objects = CHART.render(*CHART.staging)
    assert [item["kind"] for item in objects] == ["ConfigMap", "Pod"], (
        "addresses, and the test that asks them"
    )
    assert objects[0]["data"]["postgres.host"] == "suuupra-rw.postgres.svc"
    assert all(objects[0]["data"].values())


def test_helm_test_asks_every_address_of_the_release() -> None:
    for options in ((), CHART.staging):
        objects = CHART.render(*options)
        where = named(objects, "ConfigMap", "backing-servers")["data"]
        _, *asked = named(objects, "Pod", "suuupra-infra-answers")["spec"]["containers"][0]["args"][1:]
        hosts = [address.rpartition(":")[0] for address in asked]
        assert len(asked) == 6
        assert all(any(host in address for address in where.values()) for host in hosts)
        assert all(address.rpartition(":")[2].isdigit() for address in asked)


def test_settings_reach_the_server_under_the_image_s_names() -> None:
    objects = CHART.render(
        "--set-string", r"kafka.settings.log\.retention\.hours=24,postgres.settings.work_mem=8MB"
    )
    environment = {
        entry["name"]: entry["value"]
        for _, spec in pods(objects)
        for container in spec["containers"]
        for entry in container.get("env", [])
    }
    assert environment["KAFKA_SET_LOG_RETENTION_HOURS"] == "24"
    assert environment["POSTGRES_SET_WORK_MEM"] == "8MB"


def test_mail_is_kept_on_a_developers_machine_and_nowhere_else(local: list[Object]) -> None:
    assert named(local, "Deployment", "mail-sink")["spec"]["strategy"] == {"type": "Recreate"}
    ports = {port["name"]: port["port"] for port in named(local, "Service", "mail-sink")["spec"]["ports"]}
    assert ports == {"smtp": 1025, "http": 8025}
    for options in (CHART.staging, ("--set", "mailSink.enabled=false")):
        assert not [item for item in CHART.render(*options) if item["metadata"]["name"] == "mail-sink"]
