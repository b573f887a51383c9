"""Kafka away: workers stay ready and can be rolled out, their resource stays Ready and says what it cannot see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .kube import INFRA, WORKLOADS, Kube, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NOTICED_SECONDS = 60.0
WORKER = "app.kubernetes.io/instance=content,app.kubernetes.io/component=work"


@contextmanager
def away(kube: Kube) -> Iterator[None]:
    """Inside, no broker runs."""
    kube.run("scale", "statefulset", "kafka", "-n", INFRA, "--replicas=0")
    try:
        eventually(lambda: kube.get("pod", "kafka-0", namespace=INFRA) is None, 120, "Kafka is gone")
        yield
    finally:
        kube.run("scale", "statefulset", "kafka", "-n", INFRA, "--replicas=1")
        eventually(lambda: ready(kube), 180, "Kafka is back")


def ready(kube: Kube) -> bool:
    kafka = kube.get("statefulset", "kafka", namespace=INFRA)
    return bool(kafka["status"].get("readyReplicas"))


def workers(kube: Kube) -> dict[str, bool]:
    """Pods of content's worker, by uid, and whether each is ready."""
    return {
        pod["metadata"]["uid"]: all(
            one["ready"] for one in pod["status"].get("containerStatuses", [{"ready": False}])
        )
        for pod in kube.items("pods", "-l", WORKER)
        if "deletionTimestamp" not in pod["metadata"]
    }


def test_o24_a_worker_and_its_resource_stay_ready_while_kafka_is_away(kube: Kube) -> None:
    kube.await_ready("content", within=120)
    with away(kube):
        eventually(
            lambda: kube.condition("content", "TopicsReady").get("status") == "Unknown",
            NOTICED_SECONDS,
            "the resource says that its topics cannot be seen",
        )
        assert kube.condition("content", "TopicsReady")["reason"] == "KafkaUnreachable"
        assert kube.condition("content")["status"] == "True"
        assert "events wait in the outbox" in kube.condition("content")["message"]
        assert set(workers(kube).values()) == {True}
    eventually(
        lambda: kube.condition("content", "TopicsReady").get("status") == "True",
        NOTICED_SECONDS,
        "the topics are seen again",
    )
    kube.await_ready("content", within=60)


def test_o24_a_worker_is_rolled_out_while_kafka_is_away(kube: Kube) -> None:
    kube.await_ready("content", within=120)
    before = workers(kube)
    with away(kube):
        kube.run("patch", "suuupraservice", "content", "-n", WORKLOADS, "--type=merge",
                 "-p", '{"spec":{"env":{"KAFKA_AWAY_TEST":"1"}}}')  # fmt: skip
        try:
            eventually(
                lambda: not before.keys() & workers(kube).keys() and set(workers(kube).values()) == {True},
                180,
                "every worker is a new one, and ready",
            )
            eventually(
                lambda: kube.condition("content", "RolloutReady").get("status") == "True", 60, "it is through"
            )
            eventually(
                lambda: kube.condition("content", "TopicsReady").get("status") in {"False", "Unknown"},
                NOTICED_SECONDS,
                "nothing is claimed about topics that cannot be seen",
            )
        finally:
            kube.run("patch", "suuupraservice", "content", "-n", WORKLOADS, "--type=merge",
                     "-p", '{"spec":{"env":{"KAFKA_AWAY_TEST":null}}}')  # fmt: skip
    kube.await_ready("content", within=180)
