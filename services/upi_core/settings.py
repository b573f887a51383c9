"""What the switch is told by its environment."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from services.upi_core.domain.rulebook import Rulebook
from suuupra.settings import AuthSettings, DatabaseSettings, ServiceSettings, from_json


class Settings(ServiceSettings, DatabaseSettings, AuthSettings):
    """Settings of upi-core."""

    rulebook: Annotated[Rulebook, NoDecode, BeforeValidator(from_json)] = Field(
        default_factory=Rulebook,
        validation_alias="RAIL_RULEBOOK",
        description='the rail\'s rules as JSON, for example {"scale": 30, "payTimer": 15}; what is left out is NPCI\'s',
    )
    phone: bool = Field(
        default=True,
        validation_alias="RAIL_PHONE",
        description="whether /phone plays the payer's app; true for demonstrations, false where real money moves",
    )

    payments_at_once: int = Field(
        default=16,
        validation_alias="RAIL_PAYMENTS_AT_ONCE",
        ge=1,
        le=1000,
        description="payments under way in one process, 1 to 1000; who would begin another is told to come again",
    )

    message_days: int = Field(
        default=45,
        validation_alias="RAIL_MESSAGE_DAYS",
        ge=2,
        le=3650,
        description="days for which messages of the rail are kept, 2 to 3650; a dispute may be raised for 45 (UDIR)",
    )

    model_config = SettingsConfigDict(populate_by_name=True)
