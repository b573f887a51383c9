"""Limits that all gateways keep together: whoever nears one is asked about, on this host, by a question in headers.

Three filters after the local limit. A small bucket per caller lets most requests pass; the one that finds it empty, or
a route that has none, gets a header; and only requests with that header are asked about (ext_authz over a socket of
this process, which counts in Valkey). No answer in time means yes: the local limit has passed already.

A route with several limits has no small bucket and no local limit before the question, for neither could put back what
it took for a request that another limit refuses. It has its local limits after it, for requests that nobody counted.
"""

from typing import Final

from services.api_gateway.domain import asking
from services.api_gateway.domain.envoy.limits import LOCAL, bucket, local_rule
from services.api_gateway.domain.envoy.messages import JWT, PAYLOAD, Message, duration, extension, typed
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.gcra import Bucket, shares
from services.api_gateway.domain.routes import Limit, Route

FREE_FILTER: Final = "suuupra.free"
ASK_FILTER: Final = "suuupra.ask"
COMMON_FILTER: Final = "suuupra.common-limit"
ALONE_FILTER: Final = "suuupra.alone"
LIMITS_CLUSTER: Final = "gateway-limits"
ASK_HEADER: Final = "x-suuupra-ask"
"""On a request that is to be asked about. Clients cannot bring it: `header_hygiene` takes it off."""
MARKS: Final = [ASK_HEADER, asking.ALONE]
"""What is written on requests here, and is nothing to the services."""
_PLENTY: Final = {"max_tokens": 2**31, "tokens_per_fill": 2**31, "fill_interval": "1s"}
"""The bucket of requests that were counted in common: never empty. One second divides every other interval."""
_MUTATION: Final = "extensions.filters.http.header_mutation.v3.HeaderMutation"


def common_filters(options: Options) -> list[Message]:
    """Nothing where no Valkey is."""
    if options.limits_socket is None:
        return []
    return [
        extension(FREE_FILTER, LOCAL, stat_prefix="gateway_free"),
        extension(ASK_FILTER, _MUTATION),
        _only_when_asked(_question(options)),
        extension(ALONE_FILTER, LOCAL, stat_prefix="gateway_alone"),
    ]


def locally_first(limits: tuple[Limit, ...], options: Options) -> bool:
    """Whether this gateway's own limits stand before the question, or where there is none."""
    return len(limits) == 1 or options.limits_socket is None


def common_rules(route: Route, gateways: int, options: Options) -> dict[str, Message]:
    """The filters' configuration on a route with limits."""
    if options.limits_socket is None or not route.limits:
        return {}
    if not locally_first(route.limits, options):
        return _always_asked() | {ALONE_FILTER: _alone(route, options)}
    free = shares(route.limits, gateways)[0].free
    return _always_asked() if free is None else {FREE_FILTER: _unasked(route, free, options)}


def _always_asked() -> dict[str, Message]:
    asks = {"append": {"header": {"key": ASK_HEADER, "value": "1"}}}
    return {ASK_FILTER: typed(f"{_MUTATION}PerRoute", mutations={"request_mutations": [asks]})}


def _unasked(route: Route, free: Bucket, options: Options) -> Message:
    """What passes without a question: who finds the bucket empty gets the header that asks."""
    size = {
        "max_tokens": free.tokens,
        "tokens_per_fill": free.fill,
        "fill_interval": duration(free.seconds),
    }
    header = {"header": {"key": ASK_HEADER, "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    rule = local_rule(
        [(limit, size) for limit in route.limits],
        route.auth,
        rest=size,
        callers=options.limited_callers,
        enforced=0,
    )
    return {**rule, "request_headers_to_add_when_not_enforced": [header]}


def _alone(route: Route, options: Options) -> Message:
    """The local limits of requests that were not counted in common, and of no others.

    No uncounted one falls to `rest`: whoever shows a token that `acceptance_filter` lets through has a subject and a
    client, and whoever shows none an address.
    """
    rule = local_rule(
        [(limit, bucket(limit)) for limit in route.limits],
        route.auth,
        rest=_PLENTY,
        callers=options.limited_callers,
        mark=_uncounted,
    )
    return {**rule, "enable_retry_after_header": True}


def _uncounted(limit: Limit) -> Message:
    return {
        "header_value_match": {
            "descriptor_key": "limit",
            "descriptor_value": limit.name,
            "headers": [{"name": asking.ALONE, "present_match": True}],
        }
    }


def common_facts(limits: tuple[Limit, ...], gateways: int, options: Options) -> Message:
    """What a route carries for the question."""
    return {"limit": asking.rule(limits, gateways)} if limits and options.limits_socket else {}


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
    told = {"patterns": [{"exact": asking.TOLD}, {"exact": "retry-after"}]}
    return typed(
        "extensions.filters.http.ext_authz.v3.ExtAuthz",
        stat_prefix="common_limit",
        transport_api_version="V3",
        failure_mode_allow=True,
        failure_mode_allow_header_add=True,
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
                "allowed_upstream_headers": {"patterns": [{"exact": asking.ALONE}]},
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
