"""O2: the status says what is so, with reason, message and generation; a wrong spec is refused by name, without a storm."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .api import EVERY_PART, NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually


async def test_o2_every_condition_has_reason_message_and_generation(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", EVERY_PART)
    await api.ready("shop")

    shop = await api.must("SuuupraService", "shop")
    status = shop["status"]
    types = [condition["type"] for condition in status["conditions"]]
    assert types[0] == "Ready"
    assert {
        "DatabaseReady",
        "TopicsReady",
        "BucketsReady",
        "MigrationsReady",
        "RolloutReady",
        "RoutesReady",
    } <= {*types}
    for condition in status["conditions"]:
        assert condition["reason"]
        assert condition["message"]
        assert condition["observedGeneration"] == shop["metadata"]["generation"]
    assert status["version"] == "v1"
    assert status["readyReplicas"] == 1
    assert "kopf" not in str(shop["metadata"])
    assert any(event["reason"] == "Ready" for event in await api.events("shop"))


async def test_o2_a_resource_that_is_applied_again_is_as_it_was(api: Api, operator: OperatorProcess) -> None:
    spec = EVERY_PART | {"database": {}, "events": {}, "slo": {}, "workers": {}, "replicas": {"min": 0}}
    first = await api.service("shop", spec)
    assert first["spec"]["database"] == {"reclaim": "Retain"}
    for _ in range(3):
        again = await api.service("shop", spec)
        assert again["spec"] == first["spec"]
        assert again["metadata"]["generation"] == 1


BY = ("subject", "client")
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "partitions": ({"events": {"publishes": [{"topic": "a.b", "partitions": 0}]}}, "partitions"),
    "replicas": ({"replicas": {"min": 3, "max": 2}}, "max must be at least min"),
    "scopes": ({"routes": [{"path": "/v1/x", "auth": "none", "scopes": ["a:b"]}]}, "scopes need auth: user"),
    "path": ({"routes": [{"path": "/internal/x"}]}, "/internal is never routed"),
    "limit": (
        {"routes": [{"path": "/x", "auth": "none", "limits": [{"rate": "5/s", "by": "subject"}]}]},
        "limits.by: subject and client need auth: user or optional",
    ),
    "rate": ({"routes": [{"path": "/x", "limits": [{"rate": "many"}]}]}, "limits[0].rate: Invalid value"),
    "no rate": ({"routes": [{"path": "/x", "limits": [{"rate": "0/m"}]}]}, "at least 1 request per second"),
    "burst": ({"routes": [{"path": "/x", "limits": [{"rate": "1/m", "burst": 0}]}]}, "limits[0].burst"),
    "twice": (
        {"routes": [{"path": "/x", "limits": [{"rate": "1/m"}, {"rate": "90/m", "burst": 9}]}]},
        "spec.routes[0].limits: Invalid value",
    ),
    "many limits": (
        {
            "routes": [
                {"path": "/x", "limits": [{"rate": f"1/{unit}", "by": by} for unit in "smh" for by in BY]}
            ]
        },
        "must have at most 4 items",
    ),
    "both shapes": (
        {"routes": [{"path": "/x", "limit": {"rate": "1/m"}, "limits": [{"rate": "1/m"}]}]},
        "make it an entry of limits",
    ),
    "env": ({"env": {"SUUUPRA_FAILPOINTS": "x"}}, "does not start with SUUUPRA_"),
    "extension": ({"database": {"extensions": ["plpython3u"]}}, "Unsupported value"),
    "itself": ({"dependsOn": ["wrong"]}, "cannot depend on itself"),
    "memory": ({"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Mi"}}}, "limits.memory"),
    "image": ({"image": "Not An Image"}, "image"),
    "slo": ({"slo": {"availability": 100}}, "availability"),
    "egress": (
        {"egress": [{"internet": True, "cidr": "192.0.2.0/24", "ports": [443]}]},
        "exactly one of host",
    ),
    "egress.host": (
        {"egress": [{"host": "example.org", "ports": [443]}]},
        'spec.egress[0].host: Invalid value: "object": host must be NAME.NAMESPACE.svc',
    ),
    "egress.ports": ({"egress": [{"internet": True, "ports": []}]}, "egress[0].ports"),
}

QUIET_SECONDS = 3


@pytest.mark.parametrize("case", WRONG)
async def test_o2_a_wrong_spec_is_refused_with_its_field(connected: Api, case: str) -> None:
    spec, words = WRONG[case]
    assert words in await connected.refused("wrong", spec)


async def test_o2_a_resource_that_waits_is_not_retried_in_a_storm(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("lost", NO_PODS | {"service": "nowhere"})
    await api.until("lost", "RolloutReady", reason="ImageUnknown")

    assert await _looks_in_quiet(operator) == 0
    assert "spec.images.pins.nowhere" in (await api.condition("lost"))["message"]


async def test_o2_a_wrong_spec_that_was_stored_before_is_named_by_field_and_not_retried_until_it_changes(
    api: Api, operator: OperatorProcess
) -> None:
    wrong = NO_PODS | {"replicas": {"min": 3, "max": 2}}
    async with api.without_rule("max must be at least min"):
        await eventually(lambda: api.accepts("stale", wrong), 20, "the rule is gone")
        said = await api.until("stale", "Ready", status="False", reason="InvalidSpec")
    assert "spec.replicas" in said["message"]
    assert "max must be at least min" in said["message"]
    told = {event["reason"] for event in await api.events("stale")}
    assert "InvalidSpec" in told

    assert await _looks_in_quiet(operator) == 0
    assert await api.get("Deployment", "stale") is None

    await eventually(lambda: api.accepts("stale", NO_PODS), 20, "the rule is there, and does not mind")
    await api.ready("stale")


async def _looks_in_quiet(operator: OperatorProcess) -> float:
    """How often the operator looks at any service while nothing changes."""
    before = operator.total("suuupra_operator_reconciles_total", kind="SuuupraService")
    await asyncio.sleep(QUIET_SECONDS)  # the time is the test: nothing may happen in it
    return operator.total("suuupra_operator_reconciles_total", kind="SuuupraService") - before
