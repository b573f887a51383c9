"""The whole of Envoy's configuration, as the files Envoy reads."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.api_gateway.domain.envoy.clusters import assignment, clusters
from services.api_gateway.domain.envoy.listener import listener
from services.api_gateway.domain.envoy.messages import Message, files
from services.api_gateway.domain.envoy.observe import stats_config
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.envoy.rds import route_config
from services.api_gateway.domain.routes import Snapshot
from services.api_gateway.domain.table import Table

_KINDS: Final = {
    "listener": "config.listener.v3.Listener",
    "cluster": "config.cluster.v3.Cluster",
    "routes": "config.route.v3.RouteConfiguration",
    "endpoints": "config.endpoint.v3.ClusterLoadAssignment",
}


@dataclass(frozen=True)
class Resource:
    """One xDS answer. Its version is the hash of its content, so equal content is never sent twice."""

    kind: str
    resources: tuple[Message, ...]

    @property
    def version(self) -> str:
        return hashlib.sha256(json.dumps(self.resources, sort_keys=True).encode()).hexdigest()[:12]

    def document(self) -> str:
        url = f"type.googleapis.com/envoy.{_KINDS[self.kind]}"
        marked = [{"@type": url, **resource} for resource in self.resources]
        return json.dumps({"version_info": self.version, "type_url": url, "resources": marked})


@dataclass(frozen=True)
class Config:
    """What Envoy should be running."""

    listeners: Resource
    routes: Resource
    clusters: Mapping[str, Message]
    endpoints: Mapping[str, Resource]

    @property
    def version(self) -> str:
        """Changes with routes, clusters and listeners; endpoints have versions of their own."""
        parts = [self.listeners.version, self.routes.version, cluster_resource(self.clusters).version]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


def build(table: Table, snapshot: Snapshot, options: Options) -> Config:
    """Pure: equal arguments give equal configuration, byte for byte."""
    services = table.services()
    gateways = max(1, len(snapshot.ready(options.name)))
    return Config(
        listeners=Resource("listener", (listener(options),)),
        routes=Resource("routes", (route_config(table, options, gateways),)),
        clusters={cluster["name"]: cluster for cluster in clusters(services, options)},
        endpoints={
            name: Resource("endpoints", (assignment(name, snapshot.ready(name)),)) for name in services
        },
    )


def cluster_resource(named: Mapping[str, Message]) -> Resource:
    return Resource("cluster", tuple(named[name] for name in sorted(named)))


def bootstrap(options: Options) -> Message:
    """What Envoy is started with: where to look for the rest, and its bounds."""
    return {
        "node": {"id": options.name, "cluster": "suuupra"},
        "admin": {"address": {"pipe": {"path": str(options.admin_socket), "mode": 0o600}}},
        "dynamic_resources": {
            "lds_config": files(options.xds("lds")),
            "cds_config": files(options.xds("cds")),
        },
        "stats_config": stats_config(),
        "overload_manager": _overload(options),
        "layered_runtime": {"layers": [{"name": "static", "static_layer": _RUNTIME}]},
    }


_RUNTIME: Final[Message] = {"re2": {"max_program_size": {"error_level": 4000, "warn_level": 4000}}}
"""Envoy's default of 100 is less than a dozen methods, or one length, take."""


def _overload(options: Options) -> Message:
    monitor = {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": "type.googleapis.com/"
            "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": options.max_connections,
        },
    }
    return {"resource_monitors": [monitor]}


def standalone(config: Config, options: Options) -> Message:
    """The same configuration in one file without anything dynamic, for ``envoy --mode validate``."""
    inlined = json.loads(json.dumps(config.listeners.resources[0]))
    manager = inlined["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    manager["route_config"] = config.routes.resources[0]
    clusters = {name: dict(cluster) for name, cluster in config.clusters.items()}
    for name, resource in config.endpoints.items():
        del clusters[name]["eds_cluster_config"]
        clusters[name] |= {"type": "STATIC", "load_assignment": resource.resources[0]}
    whole = {key: value for key, value in bootstrap(options).items() if key != "dynamic_resources"}
    return {**whole, "static_resources": {"listeners": [inlined], "clusters": list(clusters.values())}}
