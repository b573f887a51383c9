"""O11: who depends waits, and the order emerges. O12: routes, limits, dashboards and alerts come and go with the resource."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .api import NO_PODS, Api
from .outage import away, noticed
from .process import OperatorProcess
from .waiting import eventually


async def test_o11_a_dependent_waits_until_the_other_is_ready(api: Api, operator: OperatorProcess) -> None:
    await api.service("front", NO_PODS | {"dependsOn": ["back"]})
    waiting = await api.until("front", "RolloutReady", reason="WaitingForDependency")
    assert "waits until back is Ready" in waiting["message"]
    assert await api.get("Deployment", "front") is None

    await api.service("back", NO_PODS)
    await api.ready("back")
    await api.ready("front", 15)


async def test_o11_a_server_that_comes_later_is_waited_for(api: Api, operator: OperatorProcess) -> None:
    servers = api.servers
    topics = {"publishes": [{"topic": "order.created", "partitions": 1}]}
    needs: dict[str, tuple[dict[str, Any], str, str]] = {
        "with-database": ({"database": {}}, "DatabaseReady", "PostgreSQLUnreachable"),
        "with-topics": ({"events": topics}, "TopicsReady", "KafkaUnreachable"),
        "with-bucket": ({"buckets": [{"name": "media"}]}, "BucketsReady", "ObjectStoreUnreachable"),
    }
    with away(servers.postgres, servers.kafka, servers.objects):
        for server in ("postgres", "kafka", "objects"):
            await noticed(operator, server)
        for name, (spec, _, _) in needs.items():
            await api.service(name, NO_PODS | spec)
        for name, (_, part, reason) in needs.items():
            waiting = await api.until(name, part, reason=reason, within=60)
            assert waiting["status"] == "False"
        for name in needs:
            assert await api.get("Deployment", name) is None
    for name in needs:
        await api.ready(name, 60)


async def test_o12_routes_dashboards_and_alerts_come_and_go(api: Api, operator: OperatorProcess) -> None:
    route: dict[str, Any] = {"path": "/v1/things", "auth": "none", "limits": [{"rate": "20/s"}]}
    await api.service("shop", NO_PODS | {"routes": [route], "slo": {"availability": 99.5}})
    await api.ready("shop")

    (status,) = (await api.must("SuuupraService", "shop"))["status"]["routes"]
    assert status["accepted"] is True
    assert status["limits"] == [{"rate": "20/s", "by": "address"}]
    rules = yaml.safe_load((await api.must("ConfigMap", "shop-rules"))["data"]["rules.yaml"])
    burns = [
        rule for rule in rules["groups"][0]["rules"] if rule.get("alert", "").startswith("ErrorBudgetBurn")
    ]
    assert [rule["labels"]["burn"] for rule in burns] == ["14.4", "6", "1"]
    assert "0.005" in burns[0]["expr"]
    (text,) = (await api.must("ConfigMap", "shop-dashboard"))["data"].values()
    assert {"Traffic", "Errors", "Latency"} <= {panel["title"] for panel in json.loads(text)["panels"]}

    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")
    await api.gone("ConfigMap", "shop-rules")
    await api.gone("ConfigMap", "shop-dashboard")


async def test_o12_a_route_has_several_limits(api: Api, operator: OperatorProcess) -> None:
    several = [
        {"rate": "20/m", "by": "client"},
        {"rate": "100/m", "by": "subject"},
        {"rate": "5/s", "by": "subject"},
    ]
    await api.service("shop", NO_PODS | {"routes": [{"path": "/v1/things", "limits": several}]})
    await api.ready("shop")

    (things,) = (await api.must("SuuupraService", "shop"))["status"]["routes"]
    assert things["limits"] == several


async def test_o12_a_declared_way_out_comes_and_goes_with_its_declaration(
    api: Api, operator: OperatorProcess
) -> None:
    """As far as the policy says so: the bridge CNI of this node enforces none."""
    sink = {"host": "mail-sink.suuupra-infra.svc", "ports": [8025]}
    await api.service("shop", NO_PODS | {"egress": [{"internet": True, "ports": [443]}, sink]})
    await api.ready("shop")
    dns, internet, mail = (await api.must("NetworkPolicy", "shop"))["spec"]["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [peer["ipBlock"]["cidr"] for peer in internet["to"]] == ["0.0.0.0/0", "::/0"]
    assert "10.0.0.0/8" in internet["to"][0]["ipBlock"]["except"]
    assert mail["ports"] == [{"protocol": "TCP", "port": 8025}]

    await api.service("shop", NO_PODS)

    async def closed() -> bool:
        return bool((await api.must("NetworkPolicy", "shop"))["spec"]["egress"] == [dns])

    await eventually(closed, 20, "the ways out are closed")


async def test_o12_alerts_special_to_the_code_come_and_go(
    api: Api, launch: Callable[..., OperatorProcess], tmp_path: Path
) -> None:
    (tmp_path / "workload" / "ops").mkdir(parents=True)
    rule = {"alert": "ShopIsEmpty", "expr": 'shop_articles{namespace="$namespace",resource="$resource"} == 0'}
    text = yaml.safe_dump({"groups": [{"name": "stock", "rules": [rule]}]})
    (tmp_path / "workload" / "ops" / "alerts.yaml").write_text(text)
    await launch(services=str(tmp_path)).leading()
    await api.service("shop", NO_PODS)
    await api.ready("shop")

    files = (await api.must("ConfigMap", "shop-rules"))["data"]
    (loaded,) = yaml.safe_load(files["special.yaml"])["groups"][0]["rules"]
    assert loaded["expr"] == 'shop_articles{namespace="suuupra",resource="shop"} == 0'
    assert "rules.yaml" in files

    await api.delete("SuuupraService", "shop")
    await api.gone("ConfigMap", "shop-rules")


async def test_o12_a_route_belongs_to_the_resource_that_has_it(api: Api, operator: OperatorProcess) -> None:
    await api.service("older", NO_PODS | {"routes": [{"path": "/v1/x", "methods": ["GET"], "auth": "none"}]})
    await api.ready("older")
    routes = [{"path": "/v1/x", "auth": "none"}, {"path": "/v1/y", "auth": "none"}]
    await api.younger("newer", NO_PODS | {"routes": routes})

    lost = await api.until("newer", "RoutesReady", reason="RouteConflict")
    assert "routes[0]: GET /v1/x (prefix) belongs to resource suuupra/older" in lost["message"]
    assert "choose another path, or other methods" in lost["message"]
    found = (await api.must("SuuupraService", "newer"))["status"]["routes"]
    assert [route["accepted"] for route in found] == [False, True]

    await api.delete("SuuupraService", "older")
    await api.ready("newer")


async def test_o12_a_route_that_is_the_gateways_is_refused_by_name_also_when_it_was_stored_before(
    api: Api, operator: OperatorProcess
) -> None:
    routes = [{"path": "/Internal/x", "auth": "none"}, {"path": "/v1/x", "auth": "none"}]
    for path in ("/internal", "/gateway", "/Gateway/routes"):
        assert "/internal is never routed" in await api.refused(
            "shop", NO_PODS | {"routes": [{"path": path}]}
        )
    async with api.without_rule("/internal is never routed"):
        await eventually(lambda: api.accepts("shop", NO_PODS | {"routes": routes}), 20, "the rule is gone")

    refused = await api.until("shop", "RoutesReady", reason="ReservedPath")
    assert "routes[0]: /Internal/x: /internal is never routed" in refused["message"]
    found = (await api.must("SuuupraService", "shop"))["status"]["routes"]
    assert [(route["accepted"], route["reason"]) for route in found] == [
        (False, "ReservedPath"),
        (True, "Accepted"),
    ]
    await api.until("shop", "RolloutReady", status="True")
