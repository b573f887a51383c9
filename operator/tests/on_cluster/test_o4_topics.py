"""O4: topics follow the resource, one way; what cannot be is refused by name; of two claimants one has it."""

from __future__ import annotations

from typing import Any

from .api import NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually


def _publishing(topic: str, partitions: int = 2, **more: Any) -> dict[str, Any]:
    return NO_PODS | {"events": {"publishes": [{"topic": topic, "partitions": partitions, **more}]}}


async def test_o4_partitions_and_retention_follow_the_resource(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", _publishing("order.created", 2, retention="1h"))
    await api.ready("shop")
    servers = api.servers
    assert servers.topics() == {"order.created": 2, "order.created.dlt": 1}

    await api.service("shop", _publishing("order.created", 4, retention="2h"))
    await api.ready("shop")

    assert servers.topics()["order.created"] == 4
    assert servers.topic_config("order.created")["retention.ms"] == "7200000"


async def test_o4_fewer_partitions_are_refused_by_name(api: Api, operator: OperatorProcess) -> None:
    await api.service("shop", _publishing("order.created", 3))
    await api.ready("shop")

    assert "partitions can never be fewer" in await api.refused("shop", _publishing("order.created", 2))

    api.servers.create_topic("parcel.sent", 5)
    await api.service("post", _publishing("parcel.sent", 3))
    refused = await api.until("post", "TopicsReady", reason="FewerPartitions")
    assert "parcel.sent has 5 partitions" in refused["message"]
    assert api.servers.topics()["parcel.sent"] == 5


async def test_o4_of_two_claimants_the_one_that_has_it_keeps_it_and_the_other_inherits(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("older", _publishing("order.created"))
    await api.ready("older")
    await api.younger("newer", _publishing("order.created", 7))

    lost = await api.until("newer", "TopicsReady", reason="ResourceConflict")
    for name in ("order.created", "order.created.dlt"):
        assert f"events.publishes[0].topic: topic {name} belongs to resource suuupra/older" in lost["message"]
    assert "publish under another name" in lost["message"]
    assert (await api.condition("older"))["status"] == "True"
    assert api.servers.topics()["order.created"] == 2

    await api.delete("SuuupraService", "older")
    await api.gone("SuuupraService", "older")
    # What the older one kept was not made for the newer one, which therefore asks before it changes it.
    kept = await api.until("newer", "TopicsReady", reason="NotAdopted")
    assert "suuupra.io/adopt" in kept["message"]
    await api.annotate("newer", adopt="order.created,order.created.dlt")
    await api.ready("newer")
    assert api.servers.topics()["order.created"] == 7


async def test_o4_an_external_topic_is_adopted_only_on_request(api: Api, operator: OperatorProcess) -> None:
    api.servers.create_topic("order.created", 2, retention_ms="12345678")
    await api.service("shop", _publishing("order.created", 2, retention="1h"))

    asked = await api.until("shop", "TopicsReady", reason="NotAdopted")
    assert "retention.ms 12345678 → 3600000" in asked["message"]
    assert api.servers.topic_config("order.created")["retention.ms"] == "12345678"

    await api.annotate("shop", adopt="order.created")
    await api.ready("shop")
    assert api.servers.topic_config("order.created")["retention.ms"] == "3600000"


async def test_o4_a_released_topic_is_left_alone(api: Api, operator: OperatorProcess) -> None:
    spec = NO_PODS | {
        "events": {"reclaim": "Delete", "publishes": [{"topic": "order.created", "partitions": 1}]}
    }
    await api.service("shop", spec)
    await api.ready("shop")

    await api.annotate("shop", unmanaged_topics="order.created")
    await eventually(lambda: _claims(api, ["order.created.dlt"]), 20, "the topic is no longer claimed")
    api.servers.set_topic_config("order.created", "retention.ms", "1000")
    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")

    assert api.servers.topics() == {"order.created": 1}
    assert api.servers.topic_config("order.created")["retention.ms"] == "1000"


async def _claims(api: Api, topics: list[str]) -> bool:
    shop = await api.must("SuuupraService", "shop")
    return bool(shop["status"]["claims"]["topics"] == topics)
