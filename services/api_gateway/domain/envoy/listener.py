"""The listener on the public port. It does not depend on routes, so a route change never touches a connection."""

from typing import Final

from services.api_gateway.domain.envoy.edge import (
    addresses,
    answer_headers,
    compressors,
    header_hygiene,
    paths,
)
from services.api_gateway.domain.envoy.joint_limits import common_filters
from services.api_gateway.domain.envoy.limits import limit_filter
from services.api_gateway.domain.envoy.messages import Message, duration, extension, files, tcp
from services.api_gateway.domain.envoy.observe import access_logs, tracing
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.envoy.rds import ROUTES
from services.api_gateway.domain.envoy.replies import reply_config
from services.api_gateway.domain.envoy.retries import safe_methods_filter
from services.api_gateway.domain.envoy.security import acceptance_filter, access_filter, token_filter

LISTENER: Final = "public"


def listener(options: Options) -> Message:
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        **_connection_manager(options),
    )
    return {
        "name": LISTENER,
        "address": tcp(options.listen_address, options.listen_port),
        "filter_chains": [{"filters": [manager]}],
        "per_connection_buffer_limit_bytes": 65536,
    }


def _connection_manager(options: Options) -> Message:
    return {
        "stat_prefix": "public",
        "rds": {"route_config_name": ROUTES, "config_source": files(options.xds("rds"))},
        "http_filters": http_filters(options),
        "local_reply_config": reply_config(options),
        "early_header_mutation_extensions": header_hygiene(options),
        "access_log": access_logs(),
        "tracing": tracing(options),
        **addresses(options),
        **paths(),
        **_patience(options),
        **_protocols(options),
        "server_header_transformation": "PASS_THROUGH",
        "always_set_request_id_in_response": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
    }


def http_filters(options: Options) -> list[Message]:
    """In order: size, identity, rights, limits. Shedding will stand after the limits.

    Limits come last because others may share a bucket: a request that is refused anyway must not take from it. None of
    them could protect the check of tokens, since they count by what it finds.
    """
    return [
        answer_headers(),
        *compressors(),
        _body_limit(options),
        token_filter(options),
        acceptance_filter(),
        access_filter(),
        limit_filter(),
        *common_filters(options),
        safe_methods_filter(),
        extension(
            "envoy.filters.http.router",
            "extensions.filters.http.router.v3.Router",
            suppress_envoy_headers=True,
        ),
    ]


def _body_limit(options: Options) -> Message:
    kind = "extensions.filters.http.body_size_limit.v3.BodySizeLimit"
    return extension("envoy.filters.http.body_size_limit", kind, max_request_bytes=options.max_body_bytes)


def _patience(options: Options) -> Message:
    """How long a slow client is waited for."""
    return {
        "request_headers_timeout": duration(options.headers_seconds),
        "stream_idle_timeout": duration(options.idle_seconds),
        "drain_timeout": "5s",
        "delayed_close_timeout": "1s",
    }


def _protocols(options: Options) -> Message:
    return {
        "codec_type": "AUTO",
        "max_request_headers_kb": options.max_header_kib,
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 100,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 128,
            "initial_stream_window_size": 262144,
            "initial_connection_window_size": 1048576,
        },
        "http_protocol_options": {"accept_http_10": False},
    }
