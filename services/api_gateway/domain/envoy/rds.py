"""The route configuration: what matches, in which order, and what each route asks for."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from services.api_gateway.contract import PRIORITY_HEADER
from services.api_gateway.domain import fields
from services.api_gateway.domain.envoy.clusters import CONTROL_CLUSTER
from services.api_gateway.domain.envoy.edge import NOT_THEIRS
from services.api_gateway.domain.envoy.joint_limits import MARKS, common_facts, common_rules, locally_first
from services.api_gateway.domain.envoy.limits import LIMIT_FILTER, limit_rule
from services.api_gateway.domain.envoy.messages import JWT, Message, duration, set_header
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.envoy.retries import retry_policy
from services.api_gateway.domain.envoy.security import ACCESS_FILTER, access_rule, challenge, token_rule
from services.api_gateway.domain.routes import Auth, Match, Priority, Route
from services.api_gateway.domain.table import Served, Table

ROUTES: Final = "routes"
OPERATOR_ROLE: Final = "operator"


def route_config(table: Table, options: Options, gateways: int = 1) -> Message:
    """One virtual host for every name; what no route takes is 404."""
    unmatched = _answer("unmatched", {"prefix": "/"}, 404)
    routes = [_two_hosts(), *_own(options), *_followed(table, options, gateways), unmatched]
    host = {
        "name": "platform",
        "domains": ["*"],
        "routes": routes,
        "retry_policy": retry_policy(),
        "response_headers_to_remove": NOT_THEIRS,
    }
    return {"name": ROUTES, "virtual_hosts": [host]}


def _two_hosts() -> Message:
    """Two Host headers, which Envoy joins by a comma, are one too many (RFC 9112, 3.2)."""
    joined = {"name": ":authority", "string_match": {"contains": ","}}
    return _answer("two hosts", {"prefix": "/", "headers": [joined]}, 400)


def _own(options: Options) -> Iterator[Message]:
    """`/internal` is for pods, never for the edge; `/gateway` is this gateway's page."""
    yield _answer("internal", {"path_separated_prefix": "/internal", "case_sensitive": False}, 404)
    page = page_route(options)
    yield from _group([Served("gateway", page)], CONTROL_CLUSTER, options)


def page_route(options: Options) -> Route:
    """The page is open on a developer's machine and needs the operator role elsewhere."""
    guarded = options.page_needs_operator
    return Route(
        path="/gateway",
        methods=("GET",),
        auth=Auth.USER if guarded else Auth.NONE,
        roles=(OPERATOR_ROLE,) if guarded else (),
        priority=Priority.CRITICAL,
    )


def _followed(table: Table, options: Options, gateways: int) -> Iterator[Message]:
    for _, group in groupby(table.served, key=lambda item: item.route.key):
        yield from _group(list(group), None, options, gateways)


def _group(
    same_path: list[Served], cluster: str | None, options: Options, gateways: int = 1
) -> Iterator[Message]:
    """Routes of one path, and the 405 for the methods none of them has."""
    for item in same_path:
        yield _route(item, cluster or item.service, options, gateways)
    methods = {method for item in same_path for method in item.route.served_methods}
    if all(item.route.methods for item in same_path):
        yield _not_allowed(same_path[0], sorted(methods))


def _not_allowed(item: Served, methods: list[str]) -> Message:
    answer = _answer(f"{item.service} 405 {item.route.path}", _path_of(item.route), 405)
    return {**answer, "response_headers_to_add": [set_header("Allow", ", ".join(methods))]}


def _answer(name: str, match: Message, status: int) -> Message:
    return {"name": name, "match": match, "direct_response": {"status": status}}


def _path_of(route: Route) -> Message:
    match route.match:
        case Match.EXACT:
            return {"path": route.path}
        case Match.PREFIX if route.path.endswith("/"):
            return {"prefix": route.path}
        case Match.PREFIX:
            return {"path_separated_prefix": route.path}


def _route(item: Served, cluster: str, options: Options, gateways: int) -> Message:
    route = item.route
    return {
        "name": item.name,
        "match": {**_path_of(route), **_methods_of(route)},
        "route": {"cluster": cluster, **_times(route, options), "priority": _queue(route)},
        "request_headers_to_add": [set_header(PRIORITY_HEADER, route.priority.value)],
        **({"request_headers_to_remove": MARKS} if options.limits_socket else {}),
        "metadata": {"filter_metadata": {"suuupra": _facts(item, options, gateways)}},
        "typed_per_filter_config": _filters(route, options) | common_rules(route, gateways, options),
    }


def _methods_of(route: Route) -> Message:
    if not route.methods:
        return {}
    pattern = {"safe_regex": {"regex": "|".join(route.served_methods)}}
    return {"headers": [{"name": ":method", "string_match": pattern}]}


def _times(route: Route, options: Options) -> Message:
    seconds = route.response_seconds
    idle = options.idle_seconds if seconds else options.stream_idle_seconds
    return {"timeout": duration(seconds), "idle_timeout": duration(max(idle, seconds))}


def _queue(route: Route) -> str:
    """Critical routes have circuit breakers of their own, so that the rest cannot use theirs up."""
    return "HIGH" if route.priority is Priority.CRITICAL else "DEFAULT"


def _facts(item: Served, options: Options, gateways: int) -> Message:
    """Carried for the filters to come (shedding reads the priority), for the 403's challenge, and for limits."""
    route = item.route
    facts = {"service": item.service, "priority": route.priority.value, "challenge": challenge(route.scopes)}
    return facts | _told(route) | common_facts(route.limits, gateways, options)


def _told(route: Route) -> Message:
    """For the answer: the policy, and of a limit alone its name."""
    if not route.limits:
        return {}
    name = {"limit_name": route.limits[0].name} if len(route.limits) == 1 else {}
    return {"policy": fields.policy(route.limits), **name}


def _filters(route: Route, options: Options) -> Message:
    rules: dict[str, Message | None] = {
        JWT: token_rule(route.auth),
        ACCESS_FILTER: access_rule(route.scopes, route.roles),
        LIMIT_FILTER: limit_rule(route.limits, route.auth, callers=options.limited_callers)
        if route.limits and locally_first(route.limits, options)
        else None,
    }
    return {name: rule for name, rule in rules.items() if rule is not None}
