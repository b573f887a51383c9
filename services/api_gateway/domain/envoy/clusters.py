"""Clusters: one per service, its endpoints followed from a file of its own, and the gateway's own page."""

from typing import Final

from services.api_gateway.domain.envoy.joint_limits import limits_cluster
from services.api_gateway.domain.envoy.messages import Message, duration, files, tcp, typed
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.envoy.security import keys_cluster
from services.api_gateway.domain.routes import Endpoint

CONTROL_CLUSTER: Final = "gateway-control"
_HTTP: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

UPSTREAM_IDLE: Final = 60.0
"""Seconds an idle connection to a pod is kept: less than the 75 s of suuupra.serving, so that the pod never closes it under a
request that may not be sent twice."""


def clusters(services: tuple[str, ...], options: Options) -> list[Message]:
    """All clusters, in a stable order."""
    fixed = [control_cluster(options), keys_cluster(options.keys), limits_cluster(options)]
    followed = [service_cluster(service, options) for service in services]
    return [*followed, *(cluster for cluster in fixed if cluster is not None)]


def service_cluster(service: str, options: Options) -> Message:
    return {
        "name": service,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": files(options.xds(endpoints_file(service)))},
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [_threshold("DEFAULT"), _threshold("HIGH")]},
        "outlier_detection": _OUTLIERS,
        "common_lb_config": {"healthy_panic_threshold": {"value": 30}},
        "per_connection_buffer_limit_bytes": 65536,
        "typed_extension_protocol_options": _protocol(),
    }


def endpoints_file(service: str) -> str:
    return f"eds-{service}"


def control_cluster(options: Options) -> Message:
    endpoint = {"endpoint": {"address": tcp("127.0.0.1", options.control_port)}}
    return {
        "name": CONTROL_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": CONTROL_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": _protocol(),
    }


def assignment(service: str, endpoints: tuple[Endpoint, ...]) -> Message:
    """The ready pods of a service."""
    hosts = [{"endpoint": {"address": tcp(item.address, item.port)}} for item in sorted(set(endpoints))]
    return {"cluster_name": service, "endpoints": [{"lb_endpoints": hosts}] if hosts else []}


def _threshold(priority: str) -> Message:
    """Bounds on what waits at a service. Retries: a fifth of what is active, yet enough for a pod to vanish."""
    return {
        "priority": priority,
        "max_connections": 4096,
        "max_pending_requests": 4096,
        "max_requests": 16384,
        "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 50},
        "track_remaining": False,
    }


_OUTLIERS: Final = {
    "consecutive_5xx": 0,
    "enforcing_consecutive_5xx": 0,
    "split_external_local_origin_errors": True,
    "consecutive_gateway_failure": 10,
    "enforcing_consecutive_gateway_failure": 100,
    "consecutive_local_origin_failure": 3,
    "enforcing_success_rate": 0,
    "enforcing_local_origin_success_rate": 0,
    "interval": "2s",
    "base_ejection_time": "5s",
    "max_ejection_time": "60s",
    "max_ejection_percent": 50,
}
"""A 500 is the service's opinion and ejects nobody; 502, 503, 504 and failed connections do."""


def _protocol() -> Message:
    options = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": duration(UPSTREAM_IDLE)},
        explicit_http_config={"http_protocol_options": {}},
    )
    return {_HTTP: options}
