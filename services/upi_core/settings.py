"""What the switch is told by its environment."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from services.upi_core.domain.rulebook import Rulebook
from suuupra.settings import AuthSettings, DatabaseSettings, ServiceSettings


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError("must be JSON") from error


class Settings(ServiceSettings, DatabaseSettings, AuthSettings):
    """Settings of upi-core."""

    rulebook: Annotated[Rulebook, NoDecode, BeforeValidator(_from_json)] = Field(
        default_factory=Rulebook,
        validation_alias="RAIL_RULEBOOK",
        description='the rail\'s rules as JSON, for example {"scale": 30, "payTimer": 15}; what is left out is NPCI\'s',
    )
    phone: bool = Field(
        default=True,
        validation_alias="RAIL_PHONE",
        description="whether /phone plays the payer's app; true for demonstrations, false where real money moves",
    )

    message_days: int = Field(
        default=45,
        validation_alias="RAIL_MESSAGE_DAYS",
        ge=2,
        le=3650,
        description="days for which messages of the rail are kept, 2 to 3650; a dispute may be raised for 45 (UDIR)",
    )

    model_config = SettingsConfigDict(populate_by_name=True)
