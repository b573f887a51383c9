"""What the web app is told by its environment."""

from pydantic import Field, SecretStr

from suuupra.settings import DatabaseSettings, HttpAddress, SecretsSettings, ServiceSettings, ZoneSettings


class Settings(ServiceSettings, DatabaseSettings, SecretsSettings, ZoneSettings):
    """Settings of web. The public URL is identity's issuer too."""

    url_content: HttpAddress = Field(
        description="the address of content, for example http://content:8000",
        examples=["http://content:8000"],
    )
    url_identity: HttpAddress = Field(
        description="the address of identity, for example http://identity:8000",
        examples=["http://identity:8000"],
    )
    url_commerce: HttpAddress = Field(
        description="the address of commerce, for example http://commerce:8000",
        examples=["http://commerce:8000"],
    )
    url_payments: HttpAddress = Field(
        description="the address of payments, for example http://payments:8000",
        examples=["http://payments:8000"],
    )
    url_notifications: HttpAddress = Field(
        description="the address of notifications, for example http://notifications:8000",
        examples=["http://notifications:8000"],
    )
    url_ledger: HttpAddress = Field(
        description="the address of the ledger, for example http://ledger:8000",
        examples=["http://ledger:8000"],
    )
    url_upi_core: HttpAddress = Field(
        description="the address of the UPI switch, for example http://upi-core:8000",
        examples=["http://upi-core:8000"],
    )
    client_id: str = Field(default="web", description="this client's id at identity, for example web")
    client_secret: SecretStr | None = Field(
        default=None,
        description="this client's secret; without it the one that identity keeps in OpenBao for us",
    )

    @property
    def secure(self) -> bool:
        """Whether people reach the platform by TLS, so that cookies may insist on it."""
        return self.public_url.startswith("https://")

    @property
    def shows_guide(self) -> bool:
        """Whether the style guide is served: on developers' machines only."""
        return self.profile in ("local", "development")

    @property
    def has_phone(self) -> bool:
        """Whether a page plays the payer's phone, as it does where no real bank is behind the rail."""
        return self.profile in ("local", "development", "test")
