"""What payments is told by its environment."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from services.payments.contract import RailRegistration
from suuupra.settings import (
    AuthSettings,
    DatabaseSettings,
    HttpAddress,
    KafkaSettings,
    SecretsSettings,
    ServiceSettings,
    from_json,
    said_by_the_resource,
)


class Settings(ServiceSettings, DatabaseSettings, KafkaSettings, SecretsSettings, AuthSettings):
    """The settings of payments."""

    service: str = "payments"
    own_url: HttpAddress = Field(
        default="http://payments:8000", description="where rails reach us, for example http://payments:8000"
    )
    merchant_code: str = Field(
        validation_alias=said_by_the_resource("merchant_code"),
        default="suuupra",
        pattern=r"^[A-Za-z][A-Za-z0-9-]{1,39}$",
        description="our code as a participant of rails, for example suuupra",
    )
    merchant_name: str = Field(
        validation_alias=said_by_the_resource("merchant_name"),
        default="Suuupra",
        description="what payers read, for example Suuupra",
    )
    merchant_account: str = Field(
        validation_alias=said_by_the_resource("merchant_account"),
        default="SUUUPRA001",
        description="our account at the settlement bank, unless the rail says another",
    )
    merchant_category: str = Field(
        validation_alias=said_by_the_resource("merchant_category"),
        default="8299",
        pattern=r"^[0-9]{4}$",
        description="ISO 18245; 8299 is education",
    )
    attempt_seconds: int = Field(
        validation_alias=said_by_the_resource("attempt_seconds"),
        default=300,
        ge=30,
        le=3600,
        description="seconds a payer has to act, 30 to 3600",
    )
    rails: Annotated[dict[str, RailRegistration], NoDecode, BeforeValidator(from_json)] = Field(
        default_factory=dict, description="rails that are there from the start, as JSON: name → registration"
    )
    message_days: int = Field(
        validation_alias=said_by_the_resource("message_days"),
        default=45,
        ge=2,
        le=3650,
        description="days for which messages of rails and webhooks are kept, 2 to 3650; a dispute may be raised for 45 (UDIR)",
    )
    keys: SecretStr | None = Field(
        default=None,
        description="our keys as JSON instead of OpenBao, outside a cluster (see clients/keys.py)",
    )

    @property
    def guarded(self) -> bool:
        """Whether webhooks go to public https addresses only: everywhere but on a developer's machine."""
        return self.profile not in ("local", "development")
