"""Limits that all gateways keep together: whoever nears one is asked about, on this host, by a question in headers.

Three filters after the local limit. A small bucket per caller lets most requests pass; the one that finds it empty, or
a route too small to have one, gets a header; and only requests with that header are asked about (ext_authz over a
socket of this process, which counts in Valkey). No answer in time means yes: the local limit has passed already.
"""

from typing import Final

from services.api_gateway.domain import asking
from services.api_gateway.domain.envoy.limits import LOCAL, local_rule
from services.api_gateway.domain.envoy.messages import JWT, PAYLOAD, Message, duration, extension, typed
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.gcra import share
from services.api_gateway.domain.routes import Limit, Route

FREE_FILTER: Final = "suuupra.free"
ASK_FILTER: Final = "suuupra.ask"
COMMON_FILTER: Final = "suuupra.common-limit"
LIMITS_CLUSTER: Final = "gateway-limits"
ASK_HEADER: Final = "x-suuupra-ask"
"""On a request that is to be asked about. Clients cannot bring it: `header_hygiene` takes it off."""
_MUTATION: Final = "extensions.filters.http.header_mutation.v3.HeaderMutation"


def common_filters(options: Options) -> list[Message]:
    """Nothing where no Valkey is."""
    if options.limits_socket is None:
        return []
    return [
        extension(FREE_FILTER, LOCAL, stat_prefix="gateway_free"),
        extension(ASK_FILTER, _MUTATION),
        _only_when_asked(_question(options)),
    ]


def common_rules(route: Route, gateways: int, options: Options) -> dict[str, Message]:
    """The filters' configuration on a route with a limit."""
    if options.limits_socket is None or route.limit is None:
        return {}
    free = share(route.limit, gateways).free
    if free is None:
        asks = {"append": {"header": {"key": ASK_HEADER, "value": "1"}}}
        return {ASK_FILTER: typed(f"{_MUTATION}PerRoute", mutations={"request_mutations": [asks]})}
    bucket = {
        "max_tokens": free.tokens,
        "tokens_per_fill": free.fill,
        "fill_interval": duration(free.seconds),
    }
    header = {"header": {"key": ASK_HEADER, "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    rule = local_rule(route.limit, route.auth, bucket, callers=options.limited_callers, enforced=0)
    return {FREE_FILTER: {**rule, "request_headers_to_add_when_not_enforced": [header]}}


def common_facts(limit: Limit | None, gateways: int) -> Message:
    """What a route carries for the question."""
    if limit is None:
        return {}
    return {"limit": asking.rule(limit.bucket, share(limit, gateways), limit.by)}


def limits_cluster(options: Options) -> Message | None:
    """This process, by a socket of its own.

    To connect may take as long as the question: a socket file has somebody behind it or refuses at once, so a shorter
    time would only tell that this Envoy got no CPU, and let everybody who waits through.
    """
    if options.limits_socket is None:
        return None
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(options.limits_socket)}}}}
    return {
        "name": LIMITS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": duration(options.limits_seconds),
        "load_assignment": {"cluster_name": LIMITS_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _question(options: Options) -> Message:
    claims = f"%DYNAMIC_METADATA({JWT}:{PAYLOAD}:"
    asked = {
        asking.ROUTE: "%ROUTE_NAME%",
        asking.RULE: "%METADATA(ROUTE:suuupra:limit)%",
        asking.SUBJECT: f"{claims}sub)%",
        asking.CLIENT: f"{claims}client_id)%",
        asking.ADDRESS: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    }
    told = {"patterns": [{"safe_regex": {"regex": "x-suuupra-limit-.*|retry-after"}}]}
    return typed(
        "extensions.filters.http.ext_authz.v3.ExtAuthz",
        stat_prefix="common_limit",
        transport_api_version="V3",
        failure_mode_allow=True,
        http_service={
            "server_uri": {
                "uri": "http://limits",
                "cluster": LIMITS_CLUSTER,
                "timeout": duration(options.limits_seconds),
            },
            "path_prefix": "/limit?",
            "authorization_request": {
                "headers_to_add": [{"key": name, "value": value} for name, value in asked.items()]
            },
            "authorization_response": {
                "allowed_client_headers": told,
                "allowed_client_headers_on_success": told,
            },
        },
    )


def _only_when_asked(filter_: Message) -> Message:
    """Skips the filter for a request without the header, at the cost of a look-up."""
    has_it = {
        "single_predicate": {
            "input": {
                "name": "header",
                "typed_config": typed("type.matcher.v3.HttpRequestHeaderMatchInput", header_name=ASK_HEADER),
            },
            "value_match": {"exact": "1"},
        }
    }
    skip = {
        "name": "skip",
        "typed_config": typed("extensions.filters.common.matcher.action.v3.SkipFilter"),
    }
    matcher = {"predicate": {"not_matcher": has_it}, "on_match": {"action": skip}}
    return extension(
        COMMON_FILTER,
        "extensions.common.matching.v3.ExtensionWithMatcher",
        extension_config={"name": "envoy.filters.http.ext_authz", "typed_config": filter_},
        xds_matcher={"matcher_list": {"matchers": [matcher]}},
    )
