"""A service that only tests know: its schema has the kit's tables and a table of effects, without constraints.

Nothing in that table stops an effect from happening twice; only the inbox does.
"""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from suuupra.migrations import Schema
from suuupra.testing.kafka import KafkaServer
from suuupra.tests.data import ledger

_schema = Schema(Path(ledger.__file__).parent / "versions")


@pytest.fixture
def schema() -> Schema:
    return _schema


@dataclass(frozen=True)
class Settings:
    """What a relay and a consumer read of a service's settings."""

    name: str
    kafka_bootstrap: str
    database_url: SecretStr


@pytest.fixture
def settings(kafka: KafkaServer, database_url: str) -> Settings:
    """A service with a name of its own, so that its consumer group starts from nothing."""
    return Settings(f"kit-{uuid4().hex[:8]}", kafka.bootstrap, SecretStr(database_url))
