"""What the web app is told by its environment."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from suuupra.settings import (
    DatabaseSettings,
    HttpAddress,
    SecretsSettings,
    ServiceSettings,
    ZoneSettings,
    said_by_the_resource,
)


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
    seller_name: str | None = Field(
        default=None,
        validation_alias=said_by_the_resource("seller_name"),
        min_length=1,
        description="who sells, as registered for GST; with the two below receipts are tax invoices",
    )
    seller_gstin: str | None = Field(
        default=None,
        validation_alias=said_by_the_resource("seller_gstin"),
        pattern=r"^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$",
        description="the seller's GSTIN, 15 characters",
    )
    seller_address: str | None = Field(
        default=None,
        validation_alias=said_by_the_resource("seller_address"),
        min_length=1,
        description="the seller's registered address, on one line",
    )

    @model_validator(mode="after")
    def _sold_by_somebody_or_nobody(self) -> Self:
        named = (self.seller_name, self.seller_gstin, self.seller_address)
        if any(named) and not all(named):
            raise ValueError("set all of SELLER_NAME, SELLER_GSTIN and SELLER_ADDRESS, or none of them")
        return self

    @property
    def seller(self) -> tuple[str, str, str] | None:
        """Name, GSTIN and address: what a tax invoice must name (CGST Rules, 46). None makes it a receipt."""
        if self.seller_name is None or self.seller_gstin is None or self.seller_address is None:
            return None
        return self.seller_name, self.seller_gstin, self.seller_address

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
