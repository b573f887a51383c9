"""Which routes are served, and what is said of the others."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.api_gateway.domain.resources import service_of, snapshot_of
from services.api_gateway.domain.routes import (
    Claimed,
    Endpoint,
    Rate,
    Snapshot,
    parse_duration,
    parse_rate,
    parse_route,
)
from services.api_gateway.domain.table import Refused, Table, decide
from services.api_gateway.tests.rig import claimed, service


def table_of(*services: Any) -> Table:
    return decide(Snapshot(tuple(services), {}))


def served(table: Table) -> list[tuple[str, str]]:
    return [(item.service, item.route.path) for item in table.served]


def only_refusal(table: Table) -> Refused:
    assert len(table.refused) == 1
    return table.refused[0]


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("0s", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["15", "s", "-1s", "1d", "1.5s", "", "1s "])
def test_wrong_durations_say_how_to_write_them(text: str) -> None:
    with pytest.raises(ValueError, match="written like 500ms"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["20/s", "100/m", "1000/h"])
def test_rates_read_as_they_are_written(text: str) -> None:
    rate = parse_rate(text)
    assert isinstance(rate, Rate)
    assert str(rate) == text


@pytest.mark.parametrize("text", ["20", "0/s", "20/d", "-1/s", "1.5/s"])
def test_wrong_rates_say_how_to_write_them(text: str) -> None:
    with pytest.raises(ValueError, match="written like 20/s"):
        parse_rate(text)


def test_the_longest_path_comes_first_and_exact_before_prefix() -> None:
    content = service(
        "content",
        claimed("/v1"),
        claimed("/v1/courses"),
        claimed("/v1/courses", match="exact"),
        claimed("/"),
        claimed("/v1/courses/featured"),
    )
    order = [(item.route.path, item.route.match.value) for item in table_of(content).served]
    assert order == [
        ("/v1/courses/featured", "prefix"),
        ("/v1/courses", "exact"),
        ("/v1/courses", "prefix"),
        ("/v1", "prefix"),
        ("/", "prefix"),
    ]


def test_of_two_claims_the_older_resource_is_served() -> None:
    young, old = service("young", claimed("/v1/x")), service("old", claimed("/v1/x"), age_days=3)
    table = table_of(young, old)
    assert served(table) == [("old", "/v1/x")]
    assert only_refusal(table).reason == "RouteConflict"
    assert "old" in only_refusal(table).message


def test_disjoint_methods_share_a_path() -> None:
    reader = service("reader", claimed("/v1/x", methods=["GET"]))
    writer = service("writer", claimed("/v1/x", methods=["POST"]))
    assert served(table_of(reader, writer)) == [("reader", "/v1/x"), ("writer", "/v1/x")]


def test_what_the_operator_refused_is_not_served_and_keeps_its_reason() -> None:
    route = Claimed({"path": "/v1/x"}, accepted=False, reason="RouteConflict", message="held by other")
    refusal = only_refusal(table_of(service("late", route)))
    assert (refusal.by, refusal.reason, refusal.message) == ("operator", "RouteConflict", "held by other")


@pytest.mark.parametrize(
    "path", ["/internal", "/internal/v1", "/INTERNAL/x", "/gateway", "/gateway/x", "/Gateway/"]
)
def test_reserved_paths_are_refused(path: str) -> None:
    assert only_refusal(table_of(service("greedy", claimed(path)))).reason == "ReservedPath"


@pytest.mark.parametrize("path", ["/internals", "/gateways", "/v1/internal"])
def test_paths_that_only_look_reserved_are_not(path: str) -> None:
    assert served(table_of(service("content", claimed(path)))) == [("content", path)]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"path": "v1"}, "path"),
        ({"path": "/v1/../x"}, "path"),
        ({"path": "/v1//x"}, "path"),
        ({"path": "/v1?x"}, "path"),
        ({"path": "/v1/%2e"}, "path"),
        ({"path": "/v1/ü"}, "path"),
        ({"path": "/" + "x" * 600}, "path"),
        ({"path": "/v1", "match": "regex"}, "match"),
        ({"path": "/v1", "methods": ["get"]}, "methods"),
        ({"path": "/v1", "auth": "admin"}, "auth"),
        ({"path": "/v1", "auth": "user", "scopes": ["a b"]}, "scopes"),
        ({"path": "/v1", "auth": "user", "scopes": ['a"b']}, "scopes"),
        ({"path": "/v1", "limits": [{"rate": "fast"}]}, "limits.0.rate"),
        ({"path": "/v1", "limits": [{"rate": "1/s", "burst": 0}]}, "limits.0.burst"),
        ({"path": "/v1", "limits": [{"rate": "1/s", "by": "cookie"}]}, "limits.0.by"),
        ({"path": "/v1", "limits": [{"rate": "0/m"}]}, "limits.0.rate"),
        ({"path": "/v1", "limits": [{"rate": "1/m"}, {"rate": "9/m", "burst": 3}]}, "limits"),
        ({"path": "/v1", "limits": [{"rate": f"{n}/{u}"} for n in (1, 2) for u in "smh"]}, "limits"),
        ({"path": "/v1", "priority": "urgent"}, "priority"),
        ({"path": "/v1", "timeout": "soon"}, "timeout"),
        ({"path": "/v1", "scopes": ["a"]}, "auth"),
        ({"path": "/v1", "auth": "optional", "roles": ["operator"]}, "auth"),
    ],
)
def test_a_wrong_field_refuses_the_route_and_names_the_field(fields: dict[str, Any], named: str) -> None:
    refusal = only_refusal(table_of(service("content", claimed(**fields))))
    assert refusal.reason == "InvalidRoute"
    assert refusal.message.startswith(f"{named}:")


def test_one_wrong_route_does_not_take_the_others_with_it() -> None:
    table = table_of(service("content", claimed("/v1/good"), claimed("bad")))
    assert served(table) == [("content", "/v1/good")]


def test_get_brings_head_and_burst_defaults_to_the_rate() -> None:
    route = parse_route(claimed("/v1", methods=["POST", "GET"], limits=[{"rate": "5/s"}]))
    assert route.served_methods == ("GET", "HEAD", "POST")
    assert [limit.bucket for limit in route.limits] == [5]


def test_a_route_carries_limits_by_several_and_over_several_times() -> None:
    limits = [
        {"rate": "20/m", "by": "client"},
        {"rate": "100/m", "by": "subject"},
        {"rate": "5/s", "by": "subject"},
    ]
    route = parse_route(claimed("/v1", auth="user", limits=limits))
    assert [limit.name for limit in route.limits] == ["client/m", "subject/m", "subject/s"]


RESOURCE = {
    "metadata": {"name": "content", "creationTimestamp": "2026-11-23T08:00:00Z"},
    "status": {
        "routes": [
            {"path": "/v1/courses", "accepted": True},
            {"path": "/v1/x", "accepted": "true"},
            {"path": "/v1/y"},
        ]
    },
}


def slice_of(*endpoints: dict[str, Any], ports: Any = ({"name": "http", "port": 8000},)) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "content"}
    return {"metadata": {"name": "content-1", "labels": labels}, "endpoints": endpoints, "ports": ports}


def test_only_a_literal_true_is_accepted() -> None:
    found = service_of(RESOURCE)
    assert [route.accepted for route in found.routes] == [True, False, False]
    assert found.created == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_a_resource_without_status_has_no_routes() -> None:
    assert service_of({"metadata": RESOURCE["metadata"]}).routes == ()


def test_ready_endpoints_of_all_slices_count_once() -> None:
    ready = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
    unknown = {"addresses": ["10.0.0.2"]}
    leaving = {
        "addresses": ["10.0.0.3"],
        "conditions": {"ready": False, "serving": True, "terminating": True},
    }
    snapshot = snapshot_of([RESOURCE], [slice_of(ready, unknown, leaving), slice_of(ready)])
    assert snapshot.ready("content") == (Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000))
    assert snapshot.ready("nobody") == ()


def test_the_port_named_http_is_used_whatever_its_number() -> None:
    ports = ({"name": "ops", "port": 9000}, {"name": "http", "port": 8080})
    snapshot = snapshot_of([], [slice_of({"addresses": ["10.0.0.1"]}, ports=ports)])
    assert snapshot.ready("content") == (Endpoint("10.0.0.1", 8080),)


def test_slices_of_nobody_are_ignored() -> None:
    assert (
        snapshot_of([], [{"metadata": {"name": "x"}, "endpoints": [{"addresses": ["10.0.0.1"]}]}]).endpoints
        == {}
    )
