"""charts/suuupra-infra as it is rendered: local and staging.

UPDATE_GOLDEN=1 writes the golden renders anew, for a change that is meant.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bringup import paths

CHART = Path(__file__).parents[1] / "suuupra-infra"
GOLDEN = Path(__file__).parent / "golden"
BUILT = paths.BIN / "helm"
STAGING = ("--values", str(CHART / "values-staging.yaml"))
WORKLOADS = ("Deployment", "StatefulSet")

Object = dict[str, Any]


def helm() -> str:
    """The helm program: HELM, the one bring-up built, else the one on the path."""
    found = os.environ.get("HELM") or (str(BUILT) if BUILT.exists() else shutil.which("helm"))
    if found is None:
        pytest.skip("no helm: `make up` builds one, or set HELM to yours")
    return found


def template(*options: str) -> subprocess.CompletedProcess[str]:
    """`helm template` of the chart as bring-up installs it."""
    where = ("--namespace", "suuupra-infra", "--kube-version", "1.34.4")
    return subprocess.run(
        [helm(), "template", "suuupra-infra", str(CHART), *where, *options],
        capture_output=True,
        text=True,
        check=False,
    )


def render(*options: str) -> list[Object]:
    """Every object of a render that must succeed."""
    done = template(*options)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


@pytest.fixture(scope="module")
def local() -> list[Object]:
    return render()


def named(objects: list[Object], kind: str, name: str) -> Object:
    return next(item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for item in objects:
        if item["kind"] in WORKLOADS:
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]


def without_chance(objects: list[Object]) -> list[Object]:
    """The render with random passwords and certificates replaced: what is left depends on the chart alone."""
    for item in objects:
        if item["kind"] == "Secret":
            item["data"] = dict.fromkeys(item["data"], "random")
        if item["kind"] == "APIService":
            item["spec"]["caBundle"] = "random"
    return objects


@pytest.mark.parametrize(("name", "options"), [("infra-local", ()), ("infra-staging", STAGING)])
def test_render_is_the_golden_one(name: str, options: tuple[str, ...]) -> None:
    rendered = yaml.safe_dump_all(without_chance(render(*options)), sort_keys=True)
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), "when the change is meant: UPDATE_GOLDEN=1 pytest charts/tests"


def test_every_pod_passes_restricted_pod_security(local: list[Object]) -> None:
    for name, spec in pods(local):
        security = spec["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert not any("hostPath" in volume for volume in spec.get("volumes", [])), name


def test_every_container_is_confined_probed_and_bounded(local: list[Object]) -> None:
    for name, spec in pods(local):
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"], name
            assert not security["allowPrivilegeEscalation"], name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert {"readinessProbe", "livenessProbe"} <= container.keys(), name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_stateful_servers_have_claims(local: list[Object]) -> None:
    claims = {
        item["metadata"]["name"]: item["spec"]["volumeClaimTemplates"]
        for item in local
        if item["kind"] == "StatefulSet"
    }
    assert claims.keys() == {"kafka", "postgres", "valkey", "objects", "prometheus"}
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
    for _, spec in pods(local):
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
    service = named(render(), "Service", "prometheus")["spec"]
    assert (service["type"], service["ports"][0]["nodePort"]) == ("NodePort", 30090)
    service = named(render("--set", "prometheus.nodePort=0"), "Service", "prometheus")["spec"]
    assert service["type"] == "ClusterIP"
    assert "nodePort" not in service["ports"][0]


@pytest.mark.parametrize("setting", ["kafka", "postgres", "valkey", "objects", "prometheus"])
def test_server_that_is_off_must_be_somewhere_else(setting: str) -> None:
    done = template("--set", f"{setting}.enabled=false")
    assert done.returncode != 0
    assert f"/{setting}/external" in done.stderr


def test_staging_runs_no_server_and_says_where_each_is() -> None:
    objects = render(*STAGING)
    assert [item["kind"] for item in objects] == ["ConfigMap"]
    assert objects[0]["data"]["postgres.host"] == "suuupra-rw.postgres.svc"
    assert all(objects[0]["data"].values())


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("kafka.heap=big", "/kafka/heap"),
        ("kafka.storage=lots", "/kafka/storage"),
        ("prometheus.nodePort=80", "/prometheus/nodePort"),
        ("objects.external.endpoint=s3", "/objects/external/endpoint"),
        ("kafak.enabled=true", "kafak"),
        ("postgres.enabled=perhaps", "/postgres/enabled"),
    ],
)
def test_wrong_value_is_refused_by_its_name(option: str, place: str) -> None:
    done = template("--set", option)
    assert done.returncode != 0
    assert place in done.stderr


def test_settings_reach_the_server_under_the_image_s_names() -> None:
    objects = render(
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
