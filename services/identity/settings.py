"""What identity is told by its environment."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from suuupra.settings import (
    DatabaseSettings,
    HttpAddress,
    KafkaSettings,
    SecretsSettings,
    ServiceSettings,
    SmtpSettings,
)


class Settings(ServiceSettings, DatabaseSettings, KafkaSettings, SecretsSettings, SmtpSettings):
    """The settings of identity, and knobs named IDENTITY_… that its resource may set in `env`.

    It judges tokens with its own keys, so it takes none from AuthSettings.
    """

    service: str = "identity"
    issuer: HttpAddress | None = Field(
        default=None,
        description="the `iss` of the tokens, for example http://localhost:8080; the public URL when absent",
    )
    audience: str = Field(
        default="suuupra", min_length=1, description="the `aud` of access tokens, for example suuupra"
    )
    access_seconds: int = Field(
        default=600,
        validation_alias="IDENTITY_ACCESS_SECONDS",
        ge=300,
        le=900,
        description="how long an access token is good, 300 to 900 seconds",
    )
    code_seconds: int = Field(
        default=60,
        validation_alias="IDENTITY_CODE_SECONDS",
        ge=10,
        le=60,
        description="how long an authorization code is good, 10 to 60 seconds",
    )
    refresh_overlap_seconds: float = Field(
        default=2.0,
        validation_alias="IDENTITY_REFRESH_OVERLAP_SECONDS",
        ge=0,
        le=10,
        description="for how long a refresh token that was just used is refused without taking it for stolen, 0 to 10 seconds",
    )
    grant_days: int = Field(
        default=30,
        validation_alias="IDENTITY_GRANT_DAYS",
        ge=1,
        le=365,
        description="how long a refresh token and its successors live, 1 to 365 days",
    )
    session_days: int = Field(
        default=7,
        validation_alias="IDENTITY_SESSION_DAYS",
        ge=1,
        le=90,
        description="how long somebody stays signed in, 1 to 90 days",
    )
    key_days: int = Field(
        default=90,
        validation_alias="IDENTITY_KEY_DAYS",
        ge=1,
        le=365,
        description="age at which the signing key is replaced, 1 to 365 days",
    )
    password_memory_kib: int = Field(
        default=19_456,
        validation_alias="IDENTITY_PASSWORD_MEMORY_KIB",
        ge=1024,
        le=1_048_576,
        description="Argon2id's memory for one password, in KiB",
    )
    password_passes: int = Field(
        default=2,
        validation_alias="IDENTITY_PASSWORD_PASSES",
        ge=1,
        le=20,
        description="Argon2id's passes, 1 to 20",
    )
    password_workers: int = Field(
        default=2,
        validation_alias="IDENTITY_PASSWORD_WORKERS",
        ge=1,
        le=64,
        description="passwords that are hashed at the same time, 1 to 64",
    )
    password_queue: int = Field(
        default=32,
        validation_alias="IDENTITY_PASSWORD_QUEUE",
        ge=0,
        le=1000,
        description="passwords that may wait for it; with more the answer is 503, 0 to 1000",
    )
    login_tries: int = Field(
        default=20,
        validation_alias="IDENTITY_LOGIN_TRIES",
        ge=3,
        le=1000,
        description="wrong passwords for one address in 15 minutes before the next must wait, those in a browser that its owner signed in with counted apart, 3 to 1000",
    )
    home_path: str = Field(
        default="/session/login",
        validation_alias="IDENTITY_HOME_PATH",
        pattern=r"^/[\x21-\x7e]*$",
        description="where people go who signed in without having come from an application, for example /session/login",
    )

    @model_validator(mode="after")
    def _issued_by_the_public_address(self) -> Self:
        if self.issuer is not None and self.issuer != self.public_url:
            raise ValueError("SUUUPRA_ISSUER must be SUUUPRA_PUBLIC_URL: that is where the issuer is found")
        return self

    @property
    def issuer_url(self) -> str:
        """The issuer identifier (RFC 8414, 2)."""
        return self.issuer or self.public_url

    @property
    def secure(self) -> bool:
        """Whether people reach the platform by TLS, so that cookies may insist on it."""
        return self.public_url.startswith("https://")

    @property
    def session_life(self) -> timedelta:
        return timedelta(days=self.session_days)

    @property
    def grant_life(self) -> timedelta:
        return timedelta(days=self.grant_days)
