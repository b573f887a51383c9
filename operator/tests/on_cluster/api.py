"""The API server as a test sees it: apply, read, wait for a condition, delete."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import kopf
from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.errors import ApiError
from suuupra_operator.kinds import BY_NAME, CHILDREN, PLATFORM, SERVICE, Kind
from suuupra_operator.writer import FINALIZER

from .machines import KindCluster, Servers
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
    applied: list[tuple[Kind, str, str]] = field(default_factory=list)

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
            await api._accounts()
            await api.platform()
            yield api
        finally:
            await cluster.close()

    async def platform(self, **spec: Any) -> Object:
        """Apply the platform on the test's servers; ``spec`` is merged over it."""
        servers = self.servers
        wanted = {
            "images": {"repository": "suuupra", "pins": {"workload": "v1"}},
            "postgres": {"host": servers.address(servers.postgres), "sslMode": "disable"},
            "kafka": {"bootstrapServers": servers.broker},
            "objects": {"endpoint": f"http://{servers.address(servers.objects)}:8333"},
        }
        return await self._apply(PLATFORM, {"name": "suuupra"}, wanted | spec)

    async def service(self, name: str, spec: dict[str, Any], **annotations: str) -> Object:
        """Apply a SuuupraService; annotations by their name without the prefix, `_` for `-`."""
        meta: Object = {"name": name, "namespace": NAMESPACE}
        meta["annotations"] = {
            f"suuupra.io/{key.replace('_', '-')}": value for key, value in annotations.items()
        }
        return await self._apply(SERVICE, meta, spec)

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

    async def condition(self, name: str, kind: str = "Ready") -> Object:
        """A condition of the resource's present generation, or an empty one."""
        obj = await self.get("SuuupraService", name)
        status = (obj or {}).get("status", {})
        if obj is None or status.get("observedGeneration") != obj["metadata"]["generation"]:
            return {}
        return next((c for c in status["conditions"] if c["type"] == kind), {})

    async def ready(self, name: str, within: float = 60) -> float:
        """Wait until Ready; the seconds it took."""
        began = time.monotonic()
        await self.until(name, "Ready", status="True", within=within)
        return time.monotonic() - began

    async def until(self, name: str, kind: str, within: float = 60, **wanted: str) -> Object:
        """Wait for a condition with these fields."""
        last: Object = {}

        async def look() -> Object | None:
            nonlocal last
            last = await self.condition(name, kind)
            return last if all(last.get(key) == value for key, value in wanted.items()) else None

        found = await eventually(look, within, lambda: f"{name} {kind} {wanted}, but {last}")
        assert found is not None
        return found

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

    async def clean_up(self) -> None:
        """Nothing of one test is met by the next, whatever became of its operator."""
        for kind in (SERVICE, PLATFORM):
            for obj in (await self.cluster.items(kind))[0]:
                await self._let_go(kind, obj)
        for kind in CHILDREN:
            selector = "app.kubernetes.io/managed-by=suuupra-operator"
            for obj in (await self.cluster.items(kind, NAMESPACE, labelSelector=selector))[0]:
                await self.cluster.delete(obj)
        await self.delete("Lease", "suuupra-operator", "suuupra-system")
        self._empty_servers()

    def _empty_servers(self) -> None:
        servers = self.servers
        for name in servers.psql(
            "select datname from pg_database where not datistemplate and datname <> 'postgres'"
        ):
            servers.psql(f'drop database "{name}" with (force)')
        roles = servers.psql("select rolname from pg_roles where rolname !~ '^pg_' and rolname <> 'postgres'")
        for role in sorted(roles, reverse=True):
            servers.psql(f'drop role "{role}"')
        servers.delete_topics(*servers.topics())

    async def _let_go(self, kind: Kind, obj: Object) -> None:
        meta = obj["metadata"]
        await self.cluster.delete(obj)
        path = kind.path(meta.get("namespace"), meta["name"])
        with contextlib.suppress(ApiError):
            await self.cluster.merge(path, {"metadata": {"finalizers": _without(meta.get("finalizers", []))}})

    async def _accounts(self) -> None:
        servers = self.servers
        for name, values in {
            "postgres-admin": {"username": "postgres", "password": servers.PASSWORD},
            "objects-admin": {"accessKey": servers.ACCESS_KEY, "secretKey": servers.SECRET_KEY},
        }.items():
            await self.cluster.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": name, "namespace": INFRA},
                    "stringData": values,
                }
            )

    async def _apply(self, kind: Kind, meta: Object, spec: dict[str, Any]) -> Object:
        manifest = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "spec": spec}
        params = {"fieldManager": "test", "force": "true"}
        path = kind.path(meta.get("namespace"), meta["name"])
        return await self.cluster._call("PATCH", path, manifest, "application/apply-patch+yaml", params)


def _without(finalizers: list[str]) -> list[str]:
    return [name for name in finalizers if name != FINALIZER]
