# ruff: noqa: RUF012 - the default of a Pydantic field is copied for each instance
"""The spec of the SuuupraPlatform: where the backing servers are, and what holds for every service. Cluster-scoped; there is one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from suuupra_operator.models import Resources
from suuupra_operator.schema import Label, Model, cel, rules

Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=253)]
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=128)]
URL = r"^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9/._-]*)?$"


class SecretRef(Model):
    """A Secret by name. The operator may read exactly those that its chart grants."""

    namespace: Label = "suuupra-infra"
    name: Label


class Images(Model):
    """Which image a service runs: ``repository/<service>:<pins[service] or tag>``."""

    repository: str = Field("suuupra", pattern=r"^[a-z0-9]+([._:/-][a-z0-9]+)*$", max_length=200)
    tag: Tag | None = None
    pins: dict[str, Tag] = Field({}, max_length=200)
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"

    def reference(self, name: str) -> str | None:
        """Full reference of the image called ``name``; None when neither a pin nor a default tag names a version."""
        tag = self.pins.get(name) or self.tag
        return f"{self.repository}/{name}:{tag}" if tag else None


class Postgres(Model):
    """PostgreSQL 15 or newer, with an account that may make roles and databases."""

    host: Host = "postgres.suuupra-infra.svc"
    port: int = Field(5432, ge=1, le=65535)
    admin_secret_ref: SecretRef = SecretRef(name="postgres-admin")
    """Keys ``username`` and ``password``."""
    ssl_mode: Literal["disable", "prefer", "require", "verify-full"] = "prefer"


class Kafka(Model):
    """Kafka 3.7 or newer."""

    bootstrap_servers: str = Field("kafka.suuupra-infra.svc:9092", max_length=1000)
    replication_factor: int = Field(1, ge=1, le=9)
    min_in_sync_replicas: int = Field(1, ge=1, le=9)


class Valkey(Model):
    """Valkey or Redis, for limits, counters and caches."""

    host: Host = "valkey.suuupra-infra.svc"
    port: int = Field(6379, ge=1, le=65535)
    admin_secret_ref: SecretRef = SecretRef(name="valkey-admin")
    """Key ``password``, of the user `default`, who makes a user for each service (ACL SETUSER)."""


class Objects(Model):
    """An S3 object store with the IAM API on the same endpoint."""

    endpoint: str = Field("http://objects.suuupra-infra.svc:8333", pattern=URL, max_length=300)
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]+$", max_length=40)
    admin_secret_ref: SecretRef = SecretRef(name="objects-admin")
    """Keys ``accessKey`` and ``secretKey``."""


class SecretStore(Model):
    """OpenBao or Vault, with a KV engine (version 2) at ``suuupra`` and pods' logins at ``auth/kubernetes``."""

    address: str = Field("http://openbao.suuupra-infra.svc:8200", pattern=URL, max_length=300)
    admin_secret_ref: SecretRef = SecretRef(name="openbao-admin")
    """Keys ``username`` and ``password``, of a user with the policy in images/openbao/operator.hcl."""


class Mail(Model):
    """The SMTP server that mail is handed to."""

    host: Host
    port: int = Field(25, ge=1, le=65535)
    sender: str = Field(
        "Suuupra <no-reply@suuupra.example>", pattern=r"^[^@<>\r\n]*<?[^@<>\s]+@[^@<>\s]+>?$", max_length=200
    )
    """Whom mail comes from: ``Name <name@host>``."""


class Auth(Model):
    """Who signs the tokens that services accept."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "has(self.jwks) != has(self.jwksURL)",
                "exactly one of jwks and jwksURL says where the keys are",
            )
        )
    }

    issuer: str = Field("http://localhost:8080", pattern=URL, max_length=300)
    audience: str = Field("suuupra", min_length=1, max_length=200)
    jwks: str | None = Field(None, max_length=20000)
    """A JSON Web Key Set, inline."""
    jwks_url: str | None = Field(None, alias="jwksURL", pattern=URL, max_length=300)

    @model_validator(mode="after")
    def _one_source(self) -> Auth:
        if (self.jwks is None) == (self.jwks_url is None):
            raise ValueError("exactly one of jwks and jwksURL says where the keys are")
        return self


class Defaults(Model):
    """What a service gets when it does not say otherwise."""

    resources: Resources = Resources()
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class SuuupraPlatformSpec(Model):
    """Backing servers, images, identity and defaults."""

    profile: Literal["local", "staging", "production"] = "local"
    public_url: str = Field("http://localhost:8080", alias="publicURL", pattern=URL, max_length=300)
    images: Images = Images()
    postgres: Postgres = Postgres()
    kafka: Kafka = Kafka()
    valkey: Valkey | None = None
    objects: Objects = Objects()
    secret_store: SecretStore | None = None
    mail: Mail | None = None
    auth: Auth | None = None
    autoscaling: bool = True
    """Whether services grow beyond their min. Not on a single machine, whose pods share the same cores."""
    defaults: Defaults = Defaults()
