"""O26: the operator's account may do what a golden file says and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from bringup.tools import path as tool

from .machines import CHART, KindCluster

GOLDEN = Path(__file__).parent / "golden"
ACCOUNT = "system:serviceaccount:suuupra-system:suuupra-operator"
NAMESPACES = ("suuupra", "suuupra-system", "suuupra-infra", "default", "kube-system")
FOREIGN = ("selfsubject", "/", "clustertrustbundles")


def _rendered(*values: str) -> str:
    command = [tool("helm"), "template", "suuupra", str(CHART), "--namespace", "suuupra-system"]
    command += ["--kube-version", "1.34.4", "--set", "images.tags.operator=TAG", *values]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_o26_the_account_may_do_what_the_golden_file_says(kind: KindCluster) -> None:
    text = _rendered("--set", "crds.enabled=false")
    rights = [
        doc
        for doc in yaml.safe_load_all(text)
        if doc and doc["kind"] in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    ]
    manifest = yaml.safe_dump_all(rights)
    _kubectl(kind, "apply", manifest)
    try:
        found = "".join(f"# {namespace}\n{_may(kind, namespace)}" for namespace in NAMESPACES)
    finally:
        _kubectl(kind, "delete", manifest)  # helm takes over nothing that it did not make

    golden = GOLDEN / "rights.txt"
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()
    assert "secrets" not in found.partition("# default")[2]


def _kubectl(kind: KindCluster, verb: str, manifest: str) -> None:
    command = [tool("kubectl"), "--kubeconfig", str(kind.kubeconfig), verb, "-f", "-"]
    subprocess.run(command, input=manifest, text=True, check=True, capture_output=True, timeout=60)


def _may(kind: KindCluster, namespace: str) -> str:
    """`kubectl auth can-i --list` without what every authenticated account may do."""
    listed = kind.kubectl(
        "auth", "can-i", "--list", "--no-headers", f"--as={ACCOUNT}", "-n", namespace
    ).stdout
    lines = sorted(" ".join(line.split()) for line in listed.splitlines())
    return "".join(
        f"{line}\n" for line in lines if line and not line.startswith(FOREIGN) and "[/" not in line
    )
