"""What a bank is told by its environment."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from services.bank_simulator.domain.profile import Profile
from services.bank_simulator.domain.seeds import DEFAULT, Seed
from suuupra.settings import DatabaseSettings, HttpAddress, ServiceSettings, from_json

_RESOURCE = "bank-"


class Settings(ServiceSettings, DatabaseSettings):
    """Settings of a bank."""

    model_config = SettingsConfigDict(populate_by_name=True)

    url_upi_core: HttpAddress = Field(
        description="the address of the switch, for example http://upi-core:8000",
        examples=["http://upi-core:8000"],
    )
    self_url: HttpAddress | None = Field(
        default=None, description="where the switch reaches this bank; default: http://<resource>:<port>"
    )
    bank: Annotated[Profile, NoDecode, BeforeValidator(from_json)] = Field(
        default_factory=Profile,
        validation_alias="BANK_PROFILE",
        description='who the bank is and how it behaves, as JSON: {"code": "asha", "name": "Asha Bank", "latency": "20ms"}',
    )
    accounts: Annotated[tuple[Seed, ...], NoDecode, BeforeValidator(from_json)] = Field(
        default=DEFAULT,
        validation_alias="BANK_ACCOUNTS",
        description="the accounts it opens with, as a JSON list; see services/bank_simulator/domain/seeds.py",
    )

    message_days: int = Field(
        default=45,
        validation_alias="BANK_MESSAGE_DAYS",
        ge=2,
        le=3650,
        description="days for which messages of the rail are kept, 2 to 3650; a dispute may be raised for 45 (UDIR)",
    )

    @property
    def code(self) -> str:
        """The participant's code."""
        return self.bank.code or self.name.removeprefix(_RESOURCE)

    @property
    def title(self) -> str:
        return self.bank.name or self.code.title()

    @property
    def address(self) -> str:
        return self.self_url or f"http://{self.name}:{self.http_port}"
