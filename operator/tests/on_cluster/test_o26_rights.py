"""O26: the operator's account may do what a golden file says and nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml
from bringup.tools import path as tool

from suuupra.testing.golden import compare

from .machines import CHART, KindCluster

ACCOUNT = "system:serviceaccount:suuupra-system:suuupra-operator"
NOBODY = "system:serviceaccount:suuupra-system:nobody"
"""May do what every account may."""
NAMESPACES = ("suuupra", "suuupra-system", "suuupra-infra", "default", "kube-system")


def _rendered(*values: str) -> str:
    command = [tool("helm"), "template", "suuupra", str(CHART), "--namespace", "suuupra-system"]
    command += ["--kube-version", "1.34.4", "--set-string", "images.tags.operator=TAG", *values]
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
        found = "".join(
            f"# {namespace}\n{''.join(sorted(_may(kind, ACCOUNT, namespace) - _may(kind, NOBODY, namespace)))}"
            for namespace in NAMESPACES
        )
    finally:
        _kubectl(kind, "delete", manifest)  # helm takes over nothing that it did not make

    compare(Path(__file__).parent / "golden" / "rights.txt", found)
    assert "*" not in found
    assert not {"escalate", "bind", "impersonate"} & {*re.findall(r"\w+", found)}
    assert "secrets" not in found.partition("# default")[2]


def _kubectl(kind: KindCluster, verb: str, manifest: str) -> None:
    command = [tool("kubectl"), "--kubeconfig", str(kind.kubeconfig), verb, "-f", "-"]
    subprocess.run(command, input=manifest, text=True, check=True, capture_output=True, timeout=60)


def _may(kind: KindCluster, account: str, namespace: str) -> set[str]:
    """Lines of `kubectl auth can-i --list`."""
    asked = ("auth", "can-i", "--list", "--no-headers", f"--as={account}", "-n", namespace)
    return {
        f"{' '.join(line.split())}\n" for line in kind.kubectl(*asked).stdout.splitlines() if line.strip()
    }
