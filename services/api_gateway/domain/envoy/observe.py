"""Access log, metrics per route, and trace context."""

from typing import Final

from services.api_gateway.domain.envoy.clusters import CONTROL_CLUSTER
from services.api_gateway.domain.envoy.messages import JWT, PAYLOAD, Message, extension, percent
from services.api_gateway.domain.envoy.options import Options

BUCKETS_MS: Final = (1, 2.5, 5, 10, 25, 50, 100, 150, 200, 250, 300, 400, 500, 750, 1000, 2500, 5000, 10000)
"""Upper bounds of the latency histogram, milliseconds; the services' own buckets."""

STAT_PREFIX: Final = "suuupra_gateway"


def access_logs() -> list[Message]:
    """One JSON line per request on standard output, and the counters of the route. Never a query or a token."""
    return [
        extension(
            "envoy.access_loggers.stdout",
            "extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": _LINE, "json_format_options": {"sort_properties": False}},
        ),
        extension(
            "envoy.access_loggers.stats",
            "extensions.access_loggers.stats.v3.Config",
            stats_scope={"prefix": STAT_PREFIX},
            histograms=[
                {
                    "stat": {"name": "duration", "tags": [_tag(*tag) for tag in _LABELS.items()]},
                    "unit": "Milliseconds",
                    "value_format": "%DURATION%",
                }
            ],
        ),
    ]


_LABELS: Final = {"route": "%ROUTE_NAME%", "method": "%REQ(:method)%", "status": "%RESPONSE_CODE%"}
"""Bounded all three: Envoy's parser knows no invented methods."""


def _tag(name: str, value: str) -> Message:
    return {"name": name, "value_format": value}


_LINE: Final = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
    "level": "info",
    "source": "envoy.access",
    "event": "request",
    "service": "api-gateway",
    "request_id": "%REQ(x-request-id)%",
    "trace_id": "%TRACE_ID%",
    "method": "%REQ(:method)%",
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%RESPONSE_DURATION%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "route": "%ROUTE_NAME%",
    "upstream": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "subject": f"%DYNAMIC_METADATA({JWT}:{PAYLOAD}:sub)%",
    "user_agent": "%REQ(user-agent)%",
}


def stats_config() -> Message:
    """Buckets of our own histogram; Envoy's defaults reach an hour."""
    mine = {"match": {"prefix": f"{STAT_PREFIX}."}, "buckets": list(BUCKETS_MS)}
    return {"histogram_bucket_settings": [mine]}


def tracing(options: Options) -> Message:
    """Continues the caller's traceparent or starts one (W3C), so that every log line of a request has one trace id.

    The tracer insists on an exporter; the sampler keeps nothing, so the exporter is never called. A collector, once
    there is one, takes both places.
    """
    nothing = extension(
        "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        "extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig",
        sampling_percentage=percent(0),
    )
    nowhere = {"uri": "http://127.0.0.1/v1/traces", "cluster": CONTROL_CLUSTER, "timeout": "1s"}
    provider = extension(
        "envoy.tracers.opentelemetry",
        "config.trace.v3.OpenTelemetryConfig",
        service_name=options.name,
        http_service={"http_uri": nowhere},
        sampler=nothing,
    )
    return {"provider": provider}
