"""The Kafka image."""

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from images.tests.servers import Launch, Server

pytestmark = pytest.mark.integration

LIMIT = 30.0


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    return launch(
        "kafka",
        9092,
        *("--env", "KAFKA_ADVERTISED=127.0.0.1:{port}", "--env", "KAFKA_SET_LOG_RETENTION_HOURS=24"),
        ready=("ready",),
    )


def admin(server: Server) -> AdminClient:
    return AdminClient({"bootstrap.servers": f"127.0.0.1:{server.port}"})


def create(server: Server, topic: str) -> None:
    client = admin(server)  # its answers come only while it is held
    for made in client.create_topics([NewTopic(topic, num_partitions=1)]).values():
        made.result(LIMIT)


def publish(server: Server, topic: str, *texts: str, **settings: str) -> None:
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{server.port}", "acks": "all", **_dotted(settings)})
    if settings:
        producer.init_transactions(LIMIT)
        producer.begin_transaction()
    for text in texts:
        producer.produce(topic, text.encode())
    assert producer.flush(LIMIT) == 0
    if settings:
        producer.commit_transaction(LIMIT)


def read(server: Server, topic: str, count: int) -> list[str]:
    consumer = Consumer(
        {
            "bootstrap.servers": f"127.0.0.1:{server.port}",
            "group.id": f"read-{topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        messages = consumer.consume(count, LIMIT)
        return [(message.value() or b"").decode() for message in messages if message.error() is None]
    finally:
        consumer.close()


def _dotted(settings: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): text for name, text in settings.items()}


def test_message_is_read_as_it_was_sent(server: Server) -> None:
    create(server, "sent")
    publish(server, "sent", "one", "two")
    assert read(server, "sent", 2) == ["one", "two"]


def test_transaction_is_committed_though_clients_know_another_address(server: Server) -> None:
    create(server, "bought")
    publish(server, "bought", "one", transactional_id="till")
    assert read(server, "bought", 1) == ["one"]


def test_topic_is_never_made_by_itself(server: Server) -> None:
    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        raise KafkaException(admin(server).list_topics("typo", LIMIT).topics["typo"].error)


def test_setting_of_the_environment_reaches_the_broker(server: Server) -> None:
    client = admin(server)
    asked = client.describe_configs([ConfigResource(ResourceType.BROKER, "1")])
    settings = next(iter(asked.values())).result(LIMIT)
    assert settings["log.retention.hours"].value == "24"


def test_messages_and_identity_survive_a_kill(server: Server) -> None:
    create(server, "kept")
    publish(server, "kept", *(str(number) for number in range(100)))
    identity = admin(server).list_topics(timeout=LIMIT).cluster_id
    server.kill_and_start()
    assert read(server, "kept", 100) == [str(number) for number in range(100)]
    assert admin(server).list_topics(timeout=LIMIT).cluster_id == identity


def test_stop_is_a_controlled_shutdown(server: Server) -> None:
    assert server.stop() == 143  # 128 + SIGTERM: how Java says that it was asked to end
    assert "[BrokerServer id=1] shut down completed" in server.log()
