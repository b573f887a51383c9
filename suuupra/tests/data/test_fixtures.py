"""The fixtures say what is missing; the work process is put together from what a service declares."""

import shutil
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from suuupra.inbox import on
from suuupra.testing import containers
from suuupra.testing.containers import DockerMissing
from suuupra.tests.data.ledger import Counted, record
from suuupra.work import assemble


def test_without_docker_a_test_fails_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(DockerMissing, match=r"need Docker: run `make up` once"):
        containers.docker("ps")


def test_the_environment_chooses_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(containers.IMAGES_VARIABLE, "postgres=mine/postgres:1,kafka=mine/kafka:2")
    assert containers.image_of("kafka") == "mine/kafka:2"


@dataclass(frozen=True)
class Settings:
    service: str = "shop"
    name: str = "shop"
    kafka_bootstrap: str = "127.0.0.1:9"
    database_url: SecretStr = field(default_factory=lambda: SecretStr("postgresql://a:b@127.0.0.1:9/a"))
    database_pool_size: int = 1


async def test_a_service_gets_the_tasks_that_it_declares() -> None:
    for publishes, subscriptions, names in (
        (True, [], ["relay"]),
        (False, [on(Counted, record)], ["consumer"]),
        (True, [on(Counted, record)], ["relay", "consumer"]),
    ):
        work = assemble(Settings(), subscriptions, publishes)
        assert [runnable.name for runnable in work.runnables] == names
        assert [resource.name for resource in work.resources] == ["postgres"]
        assert [resource.name for resource in work.optional] == ["kafka"]
        assert all(runnable.health() == "not connected yet" for runnable in work.runnables)


def test_two_handlers_of_one_event_are_refused_at_start() -> None:
    with pytest.raises(ValueError, match="has two subscriptions"):
        assemble(Settings(), [on(Counted, record), on(Counted, record)], publishes=False)
