"""Settings: read from the environment once, at start, and refused there in words a person can act on.

The operator writes the variables (`SUUUPRA_…`) into every pod from its SuuupraService. A service composes what it
needs, and adds its own:

    class Settings(ServiceSettings, DatabaseSettings, AuthSettings):
        url_content: HttpAddress = Field(description="the address of content, for example http://content:8000")
"""

from __future__ import annotations

import json
from email.utils import parseaddr
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SUUUPRA_"


class SettingsError(Exception):
    """The environment is wrong. The text names each variable, its rule and the fix, and never a secret."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError("must be JSON") from error


def _http_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


def _postgres(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme.startswith("postgres") or len(parts.path) < 2:
        raise ValueError("must be postgresql://user:password@host:5432/name")
    return value


def _brokers(value: str) -> str:
    for broker in value.split(","):
        host, _, port = broker.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must be host:port of each broker, with commas between them")
    return value


def _mailbox(value: str) -> str:
    if "@" not in parseaddr(value)[1] or not value.isprintable():
        raise ValueError("must be one mailbox, Name <name@host>")
    return value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be a time zone of the IANA database, such as Asia/Kolkata") from error
    return name


def said_by_the_resource(name: str) -> AliasChoices:
    """The variable of that name without a prefix: what a SuuupraService's `env` may hold. For a field's `validation_alias`."""
    return AliasChoices(name.upper(), name)


Port = Annotated[int, Field(ge=1, le=65535)]
HttpAddress = Annotated[str, AfterValidator(_http_address), Field(examples=["http://localhost:8000"])]
"""An http(s) address, kept without its trailing slash."""


class Environment(BaseSettings):
    """Where settings come from: the process environment and nothing else."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )


class ServiceSettings(Environment):
    """What every process of every service is told."""

    service: str = Field(
        min_length=1, examples=["content"], description="the service's name, for example content"
    )
    name: str = Field(default="", description="the resource's name; the service's when absent")
    version: str = Field(default="dev", description="the image tag")
    profile: str = Field(default="local", description="the platform's profile, for example local")
    public_url: HttpAddress = Field(
        default="http://localhost:8080",
        description="where people reach the platform, for example https://learn.example",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        default="info", description="debug, info, warning or error"
    )
    http_host: str = Field(default="0.0.0.0", description="the address the API listens on")  # noqa: S104 - a pod's own
    ops_host: str = Field(default="0.0.0.0", description="the address /livez, /readyz and /metrics listen on")  # noqa: S104
    http_port: Port = Field(default=8000, description="the port of the API, 1 to 65535")
    ops_port: Port = Field(default=9000, description="the port of /livez, /readyz and /metrics, 1 to 65535")
    drain_seconds: float = Field(
        default=5.0,
        ge=0,
        le=30,
        description="seconds between SIGTERM and refusing connections: what endpoints need to leave the gateway, 0 to 30",
    )
    drain_limit_seconds: float = Field(
        default=30.0, ge=0, le=40, description="seconds after which requests in flight are given up, 0 to 40"
    )

    @model_validator(mode="before")
    @classmethod
    def _named_after_its_service(cls, values: dict[str, Any]) -> dict[str, Any]:
        return values if values.get("name") else {**values, "name": values.get("service", "")}


class DatabaseSettings(Environment):
    """A PostgreSQL database of the service's own."""

    database_url: Annotated[SecretStr, AfterValidator(_postgres)] = Field(
        examples=["postgresql://user:password@localhost:5432/name"],
        description="the database, postgresql://user:password@host:5432/name",
    )
    database_owner: str | None = Field(default=None, description="the role that migrations run as")
    database_pool_size: int = Field(
        default=10, ge=1, le=100, description="connections kept by one process, 1 to 100"
    )


class KafkaSettings(Environment):
    """The event bus."""

    kafka_bootstrap: Annotated[str, AfterValidator(_brokers)] = Field(
        examples=["localhost:9092"],
        description="Kafka's brokers, for example kafka:9092,other:9092",
    )


class ObjectsSettings(Environment):
    """Buckets in the S3 object store."""

    objects_endpoint: HttpAddress = Field(
        examples=["http://localhost:8333"], description="the object store, for example http://objects:8333"
    )
    objects_region: str = Field(default="us-east-1", description="the store's region, for example us-east-1")
    objects_access_key: SecretStr = Field(
        examples=["example"], description="the access key of the service's own identity"
    )
    objects_secret_key: SecretStr = Field(
        examples=["example"], description="the secret key of the service's own identity"
    )
    buckets: Annotated[dict[str, str], NoDecode, BeforeValidator(from_json)] = Field(
        examples=[{"media": "content-media", "checkpoints": "ledger-checkpoints"}],
        default_factory=dict,
        description='declared bucket → real bucket, for example {"media": "content-media"}',
    )


class ValkeySettings(Environment):
    """Cache, counters and limits."""

    valkey_url: SecretStr = Field(
        examples=["redis://localhost:6379/0"], description="Valkey, redis://user:password@host:6379/0"
    )
    valkey_prefix: str = Field(
        default="",
        description="what every key and channel of the service must begin with; its user reaches no others",
    )


class SecretsSettings(Environment):
    """OpenBao, where secrets are kept that outlive a pod (suuupra.secrets_store)."""

    openbao_url: HttpAddress = Field(
        examples=["http://localhost:8200"], description="OpenBao, for example http://openbao:8200"
    )
    openbao_mount: str = Field(
        default="suuupra", min_length=1, description="where its KV engine (version 2) is mounted"
    )
    openbao_role: str = Field(
        default="", description="the role that the pod logs in as: its resource's, for example identity"
    )
    openbao_token_path: str = Field(
        default="/var/run/secrets/openbao/token",
        description="the file with the token that Kubernetes projects into the pod",
    )
    openbao_token: SecretStr | None = Field(
        default=None,
        examples=["example"],
        description="an OpenBao token instead of a login, outside a cluster",
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if not self.openbao_role and self.openbao_token is None:
            raise ValueError(
                f"set {PREFIX}OPENBAO_ROLE (in a pod) or {PREFIX}OPENBAO_TOKEN (outside a cluster)"
            )
        return self


class SmtpSettings(Environment):
    """Where mail is handed over. `spec.mail: true` fills it and opens the way there."""

    smtp_host: str = Field(
        min_length=1, examples=["localhost"], description="the mail server, for example mail-sink"
    )
    smtp_port: Port = Field(default=25, description="the mail server's port, 1 to 65535")
    smtp_sender: Annotated[str, AfterValidator(_mailbox)] = Field(
        default="Suuupra <no-reply@suuupra.example>",
        description="who mail comes from, Name <name@host>",
    )
    smtp_timeout: float = Field(
        default=10.0, gt=0, le=60, description="seconds that handing over one mail may take, up to 60"
    )


class ZoneSettings(Environment):
    """Whose time is told to people. Stored and exchanged is UTC."""

    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        validation_alias=said_by_the_resource("time_zone"),
        default="Asia/Kolkata",
        description="the time zone of times that people read, for example Asia/Kolkata",
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of times that people read."""
        return ZoneInfo(self.time_zone)


class AuthSettings(Environment):
    """Whose tokens are accepted. The public keys come inline (`jwks`) or from an address (`jwks_url`)."""

    issuer: str = Field(
        min_length=1,
        examples=["http://localhost:8080"],
        description="the `iss` of accepted tokens, for example http://localhost:8080",
    )
    audience: str = Field(
        min_length=1, examples=["suuupra"], description="the `aud` of accepted tokens, for example suuupra"
    )
    jwks: str | None = Field(default=None, description='the public keys as JSON text, {"keys": [...]}')
    jwks_url: HttpAddress | None = Field(
        default=None,
        examples=["http://localhost:8080/.well-known/jwks.json"],
        description="where the public keys are published",
    )

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if (self.jwks is None) == (self.jwks_url is None):
            raise ValueError(
                f"set exactly one of {PREFIX}JWKS (inline keys) and {PREFIX}JWKS_URL (their address)"
            )
        return self


class MigrationSettings(ServiceSettings, DatabaseSettings):
    """What `migrate` needs; in its Job the database's address is the owner's."""


class BusSettings(ServiceSettings, KafkaSettings):
    """What `redrive` needs."""


S = TypeVar("S", bound=Environment)


def load(settings: type[S], **given: Any) -> S:
    """Read `settings` from the environment, or raise SettingsError naming every variable that is wrong.

    What is `given` wins over the environment: the command line's NAME over SUUUPRA_SERVICE.
    """
    try:
        return settings(**given)
    except ValidationError as error:
        raise SettingsError(_explain(settings, error)) from None


def example(settings: type[S], **given: Any) -> S:
    """Settings made of each field's `examples`: for documents about a service that is not running."""
    examples = {name: field.examples[0] for name, field in settings.model_fields.items() if field.examples}
    return load(settings, **(examples | given))


def _explain(settings: type[Environment], error: ValidationError) -> str:
    faults = [_fault(settings, detail) for detail in error.errors(include_input=False, include_url=False)]
    count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
    return "\n".join([f"{count} wrong; nothing was started:", *(f"  {fault}" for fault in faults)])


def _fault(settings: type[Environment], detail: ErrorDetails) -> str:
    if not detail["loc"]:
        return _rule(detail)
    name = str(detail["loc"][0])
    field = settings.model_fields.get(name)
    variable = name if name.isupper() else f"{PREFIX}{name}".upper()  # an alias is the variable's whole name
    fix = f". Set it to {field.description}" if field and field.description else ""
    return f"{variable} {_rule_of(field, detail)}{fix}"


def _rule_of(field: FieldInfo | None, detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is not set"
    if field is not None and field.annotation is SecretStr:
        return "is not acceptable"  # a validator's own words could quote the secret
    return _rule(detail)


def _rule(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
