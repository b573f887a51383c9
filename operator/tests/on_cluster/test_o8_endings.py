"""O8: what ends with the platform, the namespace or the operator itself comes to an end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from .api import NO_PODS, Api
from .machines import ROOT
from .process import Crew, OperatorProcess
from .waiting import eventually

DELETED = NO_PODS | {"database": {"reclaim": "Delete"}, "buckets": [{"name": "media"}]}


async def test_o8_platform_and_services_deleted_together_all_end(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", DELETED)
    await api.ready("shop")

    await api.delete("SuuupraPlatform", "suuupra", "")
    await api.delete("SuuupraService", "shop")

    await api.gone("SuuupraService", "shop")
    await api.gone("SuuupraPlatform", "suuupra", namespace="")
    assert api.servers.databases() == set()


async def test_o8_a_deleted_namespace_ends_and_an_uninstalled_chart_lets_every_resource_go(
    api: Api, alone: Crew
) -> None:
    """With the rights that the chart gives, which go with the namespace while the operator still needs them."""
    async with _installed(api, "--set", "replicas=2"):
        await _a_namespace_ends(api)
        api.kind.install("--wait", "--set", "replicas=2")  # its Roles there went along
        await api.service("shop", NO_PODS | {"database": {"reclaim": "Delete"}})
        await api.service("left", NO_PODS | {"database": {"reclaim": "Snapshot"}})
        await api.ready("left", 90)
        await api.delete("SuuupraService", "left")
        await api.gone("SuuupraService", "left")
        api.servers.restore_snapshot("left", "restored")
        await api.ready("shop", 90)
        api.kind.helm("test", "suuupra", "--namespace", "suuupra-system", "--timeout", "60s")

    for kind, name, namespace in (("SuuupraService", "shop", "suuupra"), ("SuuupraPlatform", "suuupra", "")):
        assert (await api.must(kind, name, namespace))["metadata"].get("finalizers", []) == []
    assert await api.get("Deployment", "shop") is not None
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop", 20)
    assert api.servers.databases() == {"shop", "restored"}


async def _a_namespace_ends(api: Api) -> None:
    """And is there again, empty."""
    await api.service("shop", DELETED)
    await api.ready("shop", 90)
    api.kind.kubectl("delete", "namespace", "suuupra", "--wait=false")

    async def ended() -> bool:
        return api.kind.kubectl("get", "namespace", "suuupra", check=False).returncode != 0

    await eventually(ended, 90, "the namespace is gone")
    assert api.servers.databases() == set()
    api.kind.kubectl("apply", "-f", str(ROOT / "manifests" / "namespaces.yaml"))


async def test_o8_uninstalling_an_operator_that_never_led_ends(api: Api, alone: Crew) -> None:
    """Its image could not be had, say, and somebody has cleared away what could not start."""
    await api.delete("ConfigMap", "suuupra-orphans", "suuupra-system")
    api.kind.install()
    deployment = ("deployment", "suuupra-operator", "-n", "suuupra-system")
    api.kind.kubectl("delete", *deployment, "--cascade=foreground")  # or its pod would take the Lease yet
    await api.forget_lease()
    api.kind.uninstall()
    assert await api.get("ConfigMap", "suuupra-orphans", "suuupra-system") is not None


@contextlib.asynccontextmanager
async def _installed(api: Api, *values: str) -> AsyncIterator[None]:
    """The operator as its users have it, until it is uninstalled."""
    await api.delete("ConfigMap", "suuupra-orphans", "suuupra-system")  # helm takes over only what it made
    try:
        api.kind.install("--wait", *values)
        yield
    finally:
        api.kind.uninstall()
