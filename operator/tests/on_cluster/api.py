"""The API server as a test sees it: apply, read, wait for a condition, delete."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import kopf
import yaml
from suuupra_operator.cluster import Cluster, Object, established
from suuupra_operator.errors import ApiError
from suuupra_operator.kinds import BY_NAME, CHILDREN, PLATFORM, RAIL, SERVICE, Kind
from suuupra_operator.writer import FINALIZER

from suuupra.testing.valkey import PASSWORD as VALKEY_PASSWORD

from .machines import ROOT, KindCluster, Servers
from .secret_server import PASSWORD, USER
from .waiting import eventually

NAMESPACE, INFRA = "suuupra", "suuupra-infra"
EVERY_PART: dict[str, Any] = {
    "service": "workload",
    "replicas": {"min": 1, "max": 2},
    "database": {"extensions": ["pg_trgm"]},
    "buckets": [{"name": "media"}],
    "events": {"publishes": [{"topic": "thing.made", "partitions": 2, "retention": "7d"}]},
    "routes": [{"path": "/v1/things", "auth": "none"}],
}
NO_PODS: dict[str, Any] = {"service": "workload", "replicas": {"min": 0}}


@dataclass
class Api:
    """Reads and writes as the administrator."""

    cluster: Cluster
    kind: KindCluster
    servers: Servers

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, kind: KindCluster, servers: Servers) -> AsyncIterator[Api]:
        os.environ["KUBECONFIG"] = str(kind.kubeconfig)
        found = kopf.login_with_kubeconfig(settings=kopf.OperatorSettings())
        assert found is not None
        cluster = Cluster(found)
        await cluster.open()
        api = cls(cluster, kind, servers)
        try:
            await established(cluster, SERVICE, PLATFORM, RAIL)
            await api._accounts()
            yield api
        finally:
            await cluster.close()

    async def platform(self, postgres: dict[str, Any] | None = None, *, valkey: bool = True) -> Object:
        """Apply the platform on the test's servers, PostgreSQL perhaps by another account, perhaps without Valkey."""
        servers = self.servers
        wanted = {
            "images": {"repository": "suuupra", "pins": {"workload": "v1"}},
            "postgres": {"host": servers.address(servers.postgres), "sslMode": "disable"} | (postgres or {}),
            "kafka": {"bootstrapServers": servers.broker},
            "objects": {"endpoint": f"http://{servers.address(servers.objects)}:8333"},
            "secretStore": {"address": f"http://{servers.address(servers.secrets.container)}:8200"},
        }
        if valkey:
            wanted["valkey"] = {"host": servers.address(servers.valkey.container)}
        return await self._apply(PLATFORM, {"name": "suuupra"}, wanted)

    async def service(self, name: str, spec: dict[str, Any], **annotations: str) -> Object:
        """Apply a SuuupraService; annotations by their name without the prefix, `_` for `-`."""
        meta: Object = {"name": name, "namespace": NAMESPACE}
        meta["annotations"] = {
            f"suuupra.io/{key.replace('_', '-')}": value for key, value in annotations.items()
        }
        return await self._apply(SERVICE, meta, spec)

    async def rail(self, name: str, spec: dict[str, Any]) -> Object:
        """Apply a PaymentRail."""
        return await self._apply(RAIL, {"name": name, "namespace": NAMESPACE}, spec)

    async def token(self, account: str, audience: str = "openbao") -> str:
        """What the kubelet would project into a pod that runs as this account."""
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        answer = await self.cluster._call("POST", path, asked | {"spec": {"audiences": [audience]}})
        return str(answer["status"]["token"])

    async def younger(self, name: str, spec: dict[str, Any]) -> Object:
        """Apply a SuuupraService that is younger than all others: creation times are whole seconds."""
        this_second = int(time.time())
        while int(time.time()) == this_second:  # noqa: ASYNC110 - a clock tells nobody that it moved
            await asyncio.sleep(0.05)
        return await self.service(name, spec)

    async def refused(self, name: str, spec: dict[str, Any]) -> str:
        """What the API server says to a resource that it must refuse."""
        try:
            await self.service(name, spec)
        except ApiError as error:
            return str(error)
        raise AssertionError(f"was accepted: {spec}")

    @contextlib.asynccontextmanager
    async def without_rule(self, message: str) -> AsyncIterator[None]:
        """The API server as it was before a release brought the CEL rule with this message."""
        file = ROOT / "crds" / "suuupra.io_suuupraservices.yaml"
        async with self.defined(_without(yaml.safe_load(file.read_text()), message)):
            yield

    @contextlib.asynccontextmanager
    async def defined(self, definition: Object) -> AsyncIterator[None]:
        """The API server with another definition of a kind of ours; it takes a moment until all of it follows."""
        self.kind.apply(definition)
        try:
            yield
        finally:
            file = f"suuupra.io_{definition['spec']['names']['plural']}.yaml"
            self.kind.apply(yaml.safe_load((ROOT / "crds" / file).read_text()))

    async def accepts(self, name: str, spec: dict[str, Any]) -> bool:
        """Apply a resource; whether the API server took it."""
        try:
            await self.service(name, spec)
        except ApiError as error:
            if error.status != 422:
                raise
            return False
        return True

    async def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object | None:
        return await self.cluster.get(BY_NAME[kind], name, namespace)

    async def must(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        found = await self.get(kind, name, namespace)
        assert found is not None, f"{kind} {name} is missing"
        return found

    async def children(self, name: str, *kinds: str) -> list[Object]:
        """Children of a resource, of all kinds or these."""
        found: list[Object] = []
        for kind in CHILDREN:
            if not kinds or kind.name in kinds:
                selector = f"app.kubernetes.io/instance={name}"
                found += (await self.cluster.items(kind, NAMESPACE, labelSelector=selector))[0]
        return found

    async def condition(
        self, name: str, type: str = "Ready", kind: str = "SuuupraService", namespace: str = NAMESPACE
    ) -> Object:
        """A condition of the resource's present generation, or an empty one."""
        obj = await self.get(kind, name, namespace)
        status = (obj or {}).get("status", {})
        if obj is None or status.get("observedGeneration") != obj["metadata"]["generation"]:
            return {}
        return next((c for c in status["conditions"] if c["type"] == type), {})

    async def ready(self, name: str, within: float = 60, **where: str) -> float:
        """Wait until Ready; the seconds it took. ``where`` is the kind and namespace, for others than services."""
        began = time.monotonic()
        await self.until(name, "Ready", within, where, status="True")
        return time.monotonic() - began

    async def until(
        self,
        name: str,
        type: str,
        within: float = 60,
        where: Mapping[str, str] = MappingProxyType({}),
        **wanted: str,
    ) -> Object:
        """Wait for a condition with these fields."""
        last: Object = {}

        async def look() -> Object | None:
            nonlocal last
            last = await self.condition(name, type, **where)
            return last if all(last.get(key) == value for key, value in wanted.items()) else None

        return await eventually(look, within, lambda: f"{name} {type} {wanted}, but {last}")

    async def gone(self, kind: str, name: str, within: float = 60, namespace: str = NAMESPACE) -> None:
        async def look() -> bool:
            return await self.get(kind, name, namespace) is None

        await eventually(look, within, f"{kind} {name} is gone")

    async def delete(self, kind: str, name: str, namespace: str = NAMESPACE) -> None:
        found = await self.get(kind, name, namespace)
        if found is not None:
            await self.cluster.delete(found)

    async def merge(self, kind: str, name: str, patch: Object, namespace: str = NAMESPACE) -> Object:
        """A change as somebody with kubectl would make it."""
        path = BY_NAME[kind].path(namespace, name)
        return await self.cluster._call(
            "PATCH", path, patch, "application/merge-patch+json", {"fieldManager": "hand"}
        )

    async def annotate(self, name: str, **annotations: str | None) -> None:
        values = {f"suuupra.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        await self.merge("SuuupraService", name, {"metadata": {"annotations": values}})

    async def secret(self, name: str) -> dict[str, str]:
        data = (await self.must("Secret", name)).get("data", {})
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    async def running(self, name: str) -> set[str]:
        """Serving pods and workers of a resource that have not ended, also those that are about to."""
        selector = f"app.kubernetes.io/instance={name},app.kubernetes.io/component in (serve,work)"
        pods, _ = await self.cluster.items(BY_NAME["Pod"], NAMESPACE, labelSelector=selector)
        ended = ("Succeeded", "Failed")
        return {pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") not in ended}

    async def events(self, name: str) -> list[Object]:
        items, _ = await self.cluster.items(BY_NAME["Event"], NAMESPACE)
        return [item for item in items if item["involvedObject"]["name"] == name]

    async def versions(self, names: Iterable[str]) -> dict[str, str]:
        """resourceVersion of each resource and each of its children."""
        found: dict[str, str] = {}
        for name in names:
            for obj in [await self.must("SuuupraService", name), *await self.children(name)]:
                found[f"{obj['kind']}/{obj['metadata']['name']}"] = obj["metadata"]["resourceVersion"]
        return found

    async def forget_lease(self) -> None:
        await self.delete("Lease", "suuupra-operator", "suuupra-system")

    async def clean_up(self) -> None:
        """Nothing of one test is met by the next, whatever became of its operator."""
        led = await self.get("Lease", "suuupra-operator", "suuupra-system") is not None
        for kind in (RAIL, SERVICE):  # a rail would make its resources anew
            found, _ = await self.cluster.items(kind)
            await asyncio.gather(*(self._let_go(obj, led=led) for obj in found))
        await asyncio.gather(*(self._collected(kind) for kind in CHILDREN))
        await self._pods_gone()
        await asyncio.to_thread(self.servers.empty)

    async def _let_go(self, obj: Object, *, led: bool) -> None:
        """As somebody would who wants it gone at once; where an operator leads, it does the work."""
        meta = obj["metadata"]
        path = BY_NAME[obj["kind"]].path(meta["namespace"], meta["name"])
        with contextlib.suppress(ApiError):  # what a rail made goes with it
            await self.cluster.merge(path, {"metadata": {"annotations": {"suuupra.io/release": "true"}}})
        await self.cluster.delete(obj)
        if not led:
            left = [name for name in meta.get("finalizers", []) if name != FINALIZER]
            with contextlib.suppress(ApiError):
                await self.cluster.merge(path, {"metadata": {"finalizers": left}})
        await self.gone(obj["kind"], meta["name"], 20)

    async def _collected(self, kind: Kind) -> None:
        """What the garbage collector would come to, later."""
        selector = "app.kubernetes.io/managed-by=suuupra-operator"
        for obj in (await self.cluster.items(kind, NAMESPACE, labelSelector=selector))[0]:
            await self.cluster.delete(obj)

    async def _pods_gone(self) -> None:
        """Deployments and Jobs are gone. Their pods would take their time to end, which no test asks about."""

        async def look() -> bool:
            pods = (await self.cluster.items(BY_NAME["Pod"], NAMESPACE))[0]
            ending = [pod for pod in pods if "deletionTimestamp" in pod["metadata"]]  # and not made anew
            await asyncio.gather(*(self._killed(pod) for pod in ending))
            return not pods

        await eventually(look, 60, "the last test's pods are gone")

    @contextlib.asynccontextmanager
    async def hurried(self) -> AsyncIterator[None]:
        """Meanwhile pods that are told to end are killed: for who asks what becomes of a resource, not how pods end."""

        async def kill() -> None:
            while True:
                pods = (await self.cluster.items(BY_NAME["Pod"], NAMESPACE))[0]
                await asyncio.gather(*(self._killed(p) for p in pods if "deletionTimestamp" in p["metadata"]))
                await asyncio.sleep(0.5)

        killing = asyncio.create_task(kill())
        try:
            yield
        finally:
            killing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await killing

    async def _killed(self, pod: Object) -> None:
        path = BY_NAME["Pod"].path(NAMESPACE, pod["metadata"]["name"])
        with contextlib.suppress(ApiError):  # gone by itself
            await self.cluster._call("DELETE", path, {"gracePeriodSeconds": 0})

    async def account(self, name: str, **values: str) -> None:
        """An administrator's account, where the platform looks for it."""
        meta = {"name": name, "namespace": INFRA}
        await self.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": values}
        )

    async def _accounts(self) -> None:
        servers = self.servers
        await self.account("postgres-admin", username="postgres", password=servers.PASSWORD)
        await self.account("openbao-admin", username=USER, password=PASSWORD)
        servers.secrets.trust(self.kind)
        await self.account("valkey-admin", password=VALKEY_PASSWORD)
        await self.account("objects-admin", accessKey=servers.ACCESS_KEY, secretKey=servers.SECRET_KEY)
        orphans = {"name": "suuupra-orphans", "namespace": "suuupra-system"}  # as the chart makes it
        await self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": orphans})

    async def _apply(self, kind: Kind, meta: Object, spec: dict[str, Any]) -> Object:
        manifest = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "spec": spec}
        params = {"fieldManager": "test", "force": "true"}
        path = kind.path(meta.get("namespace"), meta["name"])
        return await self.cluster._call("PATCH", path, manifest, "application/apply-patch+yaml", params)


def _without(schema: Any, message: str) -> Any:
    """A schema less the rules whose message has these words."""
    if isinstance(schema, list):
        kept = [
            item for item in schema if not (isinstance(item, dict) and message in item.get("message", ""))
        ]
        return [_without(item, message) for item in kept]
    if isinstance(schema, dict):
        return {key: _without(value, message) for key, value in schema.items()}
    return schema
