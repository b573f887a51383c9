"""O2: the status says what is so, with reason, message and generation; what is wrong in it is named, without a storm."""

from __future__ import annotations

import asyncio

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


QUIET_SECONDS = 3


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
