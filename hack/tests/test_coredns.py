"""Our CoreDNS holds the plugins that kubeadm's Corefile names: one that is missing shows as a cluster without names."""

import re

import pytest
from bringup import paths, pins

PACKAGE = re.compile(r"github\.com/coredns/coredns/plugin/(\w+)")
PLUGIN = re.compile(r"^ {8}(\w+)", re.MULTILINE)
CALLED = {"prometheus": "metrics"}
"""Directives that are not called as their packages are."""


def corefile() -> str:
    version = pins.module_version("k8s.io/kubernetes")
    module = paths.CACHE / "go" / "mod" / "k8s.io" / f"kubernetes@{version}"
    manifests = module / "cmd/kubeadm/app/phases/addons/dns/manifests.go"
    if not manifests.exists():
        pytest.skip("Kubernetes has not been compiled here")
    _, _, after = manifests.read_text().partition("Corefile: |")
    return after.partition("`")[0]


def test_each_plugin_that_the_corefile_names_is_compiled_in_and_no_other() -> None:
    named = {CALLED.get(name, name) for name in PLUGIN.findall(corefile())}
    assert {*PACKAGE.findall((paths.GO_MODULE / "coredns/main.go").read_text())} == named
