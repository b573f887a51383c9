"""What the ledger is told by its environment."""

from pydantic import Field

from suuupra.settings import (
    AuthSettings,
    DatabaseSettings,
    KafkaSettings,
    ObjectsSettings,
    SecretsSettings,
    ServiceSettings,
)


class Settings(
    ServiceSettings, DatabaseSettings, KafkaSettings, ObjectsSettings, AuthSettings, SecretsSettings
):
    """The settings of the ledger."""

    service: str = "ledger"
    checkpoint_seconds: float = Field(
        default=60.0,
        ge=0.1,
        le=86_400,
        description="how often a head that has moved is signed and put away, in seconds, 0.1 to 86400",
    )
