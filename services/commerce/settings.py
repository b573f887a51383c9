"""What commerce is told by its environment."""

from datetime import timedelta

from pydantic import Field

from suuupra.settings import (
    AuthSettings,
    DatabaseSettings,
    KafkaSettings,
    ServiceSettings,
    said_by_the_resource,
)


class Settings(ServiceSettings, DatabaseSettings, KafkaSettings, AuthSettings):
    """The settings of commerce."""

    service: str = "commerce"
    currency: str = Field(
        validation_alias=said_by_the_resource("currency"),
        default="INR",
        pattern=r"^[A-Z]{3}$",
        description="the currency of a cart that names none, such as INR",
    )
    order_seconds: int = Field(
        validation_alias=said_by_the_resource("order_seconds"),
        default=900,
        ge=1,
        le=86_400,
        description="how long an order waits for its payment, 1 to 86400 seconds",
    )
    cart_days: int = Field(
        validation_alias=said_by_the_resource("cart_days"),
        default=30,
        ge=1,
        le=365,
        description="how long a cart that nobody touches is kept, 1 to 365 days",
    )
    invoice_series: str = Field(
        validation_alias=said_by_the_resource("invoice_series"),
        default="SU",
        pattern=r"^[A-Z0-9]{1,3}$",
        description="the prefix of invoice numbers, such as SU",
    )
    credit_note_series: str = Field(
        validation_alias=said_by_the_resource("credit_note_series"),
        default="SC",
        pattern=r"^[A-Z0-9]{1,3}$",
        description="the prefix of credit note numbers, such as SC",
    )

    @property
    def order_lifetime(self) -> timedelta:
        """How long an order waits for its payment."""
        return timedelta(seconds=self.order_seconds)

    @property
    def cart_lifetime(self) -> timedelta:
        """How long a cart that nobody touches is kept."""
        return timedelta(days=self.cart_days)
