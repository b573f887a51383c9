"""The backing servers on a cluster: measured, watched, and keeping what they were given."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.config import Config
from bringup.tools import path as tool

from .kube import INFRA, WORKLOADS, Kube, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

PODS = ("kafka-0", "objects-0", "openbao-0", "postgres-0", "prometheus-0", "valkey-0")
PROMETHEUS = f"/api/v1/namespaces/{INFRA}/services/prometheus:9090/proxy/api/v1"
_LOG_IN = (
    "export HOME=/tmp BAO_ADDR=http://127.0.0.1:8200; export BAO_TOKEN=$(bao write -field=token"
    " auth/userpass/login/operator password=@/run/secrets/openbao/operator/password)"
)
GOOD = "groups: [{name: g, rules: [{alert: %s, expr: vector(1)}]}]"
BROKEN = "groups: [{name: g, rules: [{alert: %s, expr: vector(1}]}]"


@dataclass
class Keepsakes:
    """Something of this test's own in every server that keeps data, and what Prometheus has measured."""

    kube: Kube
    mark: str
    began: tuple[str, str] = ("", "")
    """When Prometheus was asked, and since when it said that it ran: one that runs anew says another time."""

    def leave(self) -> None:
        self.began = eventually(self._began, 60, "Prometheus has measured itself")
        self.kube.psql("postgres", f'create table "{self.mark}" as select 7 as seven')
        self.inside("valkey-0", f"REDISCLI_AUTH=$(cat $VALKEY_PASSWORD_FILE) valkey-cli set {self.mark} 7")
        self.inside("kafka-0", f"kafka topics --create --topic {self.mark}")
        self.inside("kafka-0", f"echo 7 | kafka produce --topic {self.mark}")
        self.inside("openbao-0", f"{_LOG_IN}; echo '# seven' | bao policy write suuupra-{self.mark} -")
        with objects(self.kube) as store:
            store.create_bucket(Bucket=self.mark)
            store.put_object(Bucket=self.mark, Key="seven", Body=b"7")

    def check(self) -> None:
        assert self.kube.psql("postgres", f'select seven from "{self.mark}"') == ["7"]
        valkey = f"REDISCLI_AUTH=$(cat $VALKEY_PASSWORD_FILE) valkey-cli get {self.mark}"
        assert self.inside("valkey-0", valkey).strip() == "7"
        consume = f"kafka consume --topic {self.mark} --from-beginning --max-messages 1 --timeout-ms 30000"
        assert self.inside("kafka-0", consume).strip() == "7"
        assert "# seven" in self.inside("openbao-0", f"{_LOG_IN}; bao policy read suuupra-{self.mark}")
        with objects(self.kube) as store:
            assert store.get_object(Bucket=self.mark, Key="seven")["Body"].read() == b"7"
        asked, _ = self.began
        assert self._began(time=asked) == self.began

    def take_away(self) -> None:
        self.kube.psql("postgres", f'drop table if exists "{self.mark}"')
        self.inside("valkey-0", f"REDISCLI_AUTH=$(cat $VALKEY_PASSWORD_FILE) valkey-cli del {self.mark}")
        self.inside("kafka-0", f"kafka topics --delete --if-exists --topic {self.mark}")
        self.inside("openbao-0", f"{_LOG_IN}; bao policy delete suuupra-{self.mark}")
        with objects(self.kube) as store:
            store.delete_object(Bucket=self.mark, Key="seven")
            store.delete_bucket(Bucket=self.mark)

    def _began(self, **when: str) -> tuple[str, str] | None:
        query = urlencode({"query": 'process_start_time_seconds{job="prometheus"}', **when})
        answer = json.loads(self.kube.run("get", "--raw", f"{PROMETHEUS}/query?{query}").stdout)
        values = [found["value"] for found in answer["data"]["result"]]
        return (str(values[0][0]), values[0][1]) if values else None

    def inside(self, pod: str, script: str) -> str:
        return self.kube.run("exec", "-n", INFRA, pod, "--", "bash", "-c", script).stdout


@contextlib.contextmanager
def objects(kube: Kube) -> Iterator[Any]:
    """An S3 client of the administrator, through a forwarded port."""
    secret = kube.get("secret", "objects-admin", namespace=INFRA)["data"]
    key, password = (base64.b64decode(secret[name]).decode() for name in ("accessKey", "secretKey"))
    command = [str(kube.kubectl), "--kubeconfig", str(kube.kubeconfig), "port-forward", "-n", INFRA]
    with subprocess.Popen(
        [*command, "service/objects", ":8333"], stdout=subprocess.PIPE, text=True
    ) as forward:
        try:
            assert forward.stdout is not None
            port = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert port, "kubectl port-forward named no port"
            yield boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port[1]}",
                aws_access_key_id=key,
                aws_secret_access_key=password,
                region_name="us-east-1",
                config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
            )
        finally:
            forward.terminate()


@pytest.fixture
def keepsakes(kube: Kube) -> Iterator[Keepsakes]:
    left = Keepsakes(kube, f"kept-{uuid.uuid4().hex[:8]}")
    left.leave()
    yield left
    left.take_away()


def identities(kube: Kube) -> dict[str, str]:
    pods = kube.items("pods", "-l", "app.kubernetes.io/part-of=suuupra", namespace=INFRA)
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}


def all_ready(kube: Kube) -> bool:
    """Whether every backing server's pod is there and says so; False while the API server is away."""
    try:
        pods = kube.items("pods", namespace=INFRA)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    ready = {
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and all(one["ready"] for one in pod["status"].get("containerStatuses", [{"ready": False}]))
    }
    return ready >= set(PODS)


def measured(kube: Kube) -> bool:
    """Whether the metrics API answers for the node and for every server."""
    done = kube.run("get", "--raw", f"/apis/metrics.k8s.io/v1beta1/namespaces/{INFRA}/pods", check=False)
    if done.returncode != 0 or kube.run("top", "node", check=False).returncode != 0:
        return False
    return {pod["metadata"]["name"] for pod in json.loads(done.stdout)["items"]} >= set(PODS)


def alerts(kube: Kube) -> set[str]:
    """Names of the alert rules Prometheus has loaded."""
    groups = json.loads(kube.run("get", "--raw", f"{PROMETHEUS}/rules").stdout)["data"]["groups"]
    return {rule["name"] for group in groups for rule in group["rules"]}


def rule_map(name: str, text: str) -> dict[str, Any]:
    labels = {"suuupra.io/prometheus-rules": "true"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": WORKLOADS, "labels": labels},
        "data": {"rules.yaml": text},
    }


def test_every_backing_server_runs_restricted_and_is_measured(kube: Kube) -> None:
    labels = kube.get("namespace", INFRA)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    eventually(lambda: all_ready(kube), 180, "every backing server is ready")
    eventually(lambda: measured(kube), 90, "the metrics API answers for every server")


def test_every_pod_with_an_ops_port_is_scraped(kube: Kube) -> None:
    def scraped() -> bool:
        pods = {
            pod["metadata"]["name"]
            for namespace in (WORKLOADS, "suuupra-system")
            for pod in kube.items("pods", "--field-selector=status.phase=Running", namespace=namespace)
            for container in pod["spec"]["containers"]
            if any(port.get("name") == "ops" for port in container.get("ports", []))
        }
        answer = kube.run("get", "--raw", f"{PROMETHEUS}/targets?state=active").stdout
        targets = json.loads(answer)["data"]["activeTargets"]
        return {
            t["labels"]["pod"] for t in targets if t["scrapePool"] == "pods" and t["health"] == "up"
        } == pods

    eventually(scraped, 120, "Prometheus scrapes every running pod with a port named ops, and no other")


@pytest.mark.parametrize(("release", "namespace"), [("suuupra-infra", INFRA), ("suuupra", "suuupra-system")])
def test_helm_s_own_test_of_a_release_succeeds(kube: Kube, release: str, namespace: str) -> None:
    command = [tool("helm"), "--kubeconfig", str(kube.kubeconfig), "test", release, "-n", namespace]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr


def test_broken_rules_never_take_down_good_ones(kube: Kube) -> None:
    good, bad = (f"{kind}-{uuid.uuid4().hex[:6]}" for kind in ("good", "bad"))
    try:
        kube.apply(rule_map(bad, BROKEN % bad))
        kube.apply(rule_map(good, GOOD % good))
        eventually(lambda: good in alerts(kube), 30, "the good rule is loaded")
        kube.apply(rule_map(good, BROKEN % good))
        kube.apply(rule_map(bad, GOOD % bad))
        eventually(lambda: bad in alerts(kube), 30, "the mended rule is loaded")
        assert good in alerts(kube), "the last good version of the rule that broke was dropped"
    finally:
        for name in (good, bad):
            kube.delete("configmap", name)
    eventually(lambda: not alerts(kube) & {good, bad}, 30, "rules go with their ConfigMaps")


def test_data_survives_the_deletion_of_every_pod(kube: Kube, keepsakes: Keepsakes) -> None:
    before = identities(kube)
    for pod in PODS:
        kube.delete("pod", pod, "--wait=false", namespace=INFRA)
    eventually(lambda: all_ready(kube), 240, "every backing server is ready again")
    after = identities(kube)
    assert all(after[pod] != before[pod] for pod in PODS)
    keepsakes.check()
