"""Settings of the gateway: the kit's, and knobs named GATEWAY_… that a SuuupraService may set in `env`."""

from pathlib import Path

from pydantic import Field, SecretStr

from services.api_gateway.cluster.api import ACCOUNT
from suuupra.settings import AuthSettings, Port, ServiceSettings


class Settings(ServiceSettings, AuthSettings):
    """The control plane listens on loopback; the pod's HTTP port is Envoy's."""

    http_host: str = Field(
        default="127.0.0.1",
        validation_alias="GATEWAY_CONTROL_HOST",
        description="where the control plane listens",
    )
    http_port: Port = Field(
        default=8001,
        validation_alias="GATEWAY_CONTROL_PORT",
        description="the control plane's port, 1 to 65535",
    )
    listen_host: str = Field(
        default="0.0.0.0",  # noqa: S104  the edge listens to everyone
        validation_alias="SUUUPRA_HTTP_HOST",
        description="the address Envoy listens on",
    )
    listen_port: Port = Field(
        default=8000, validation_alias="SUUUPRA_HTTP_PORT", description="Envoy's port, 1 to 65535"
    )
    kubernetes_host: str = Field(
        default="kubernetes.default.svc",
        validation_alias="KUBERNETES_SERVICE_HOST",
        description="the API server, as every pod is told",
    )
    kubernetes_port: Port = Field(
        default=443, validation_alias="KUBERNETES_SERVICE_PORT", description="the API server's port"
    )
    account: Path = Field(
        default=ACCOUNT,
        validation_alias="GATEWAY_ACCOUNT",
        description="the folder with the pod's token, ca.crt and namespace",
    )
    folder: Path = Field(
        default=Path("/tmp/suuupra-gateway"),  # noqa: S108  the only writable place of the pod
        validation_alias="GATEWAY_FOLDER",
        description="a writable folder for Envoy's files",
    )
    valkey_url: SecretStr | None = Field(
        default=None,
        description="Valkey, redis://user:password@host:6379/0, where gateways count together; without it each counts alone",
    )
    valkey_prefix: str = Field(
        default="", description="what every key must begin with: the gateway's user reaches no others"
    )
    concurrency: int = Field(
        default=2,
        ge=1,
        le=256,
        validation_alias="GATEWAY_CONCURRENCY",
        description="Envoy's worker threads, 1 to 256",
    )
    trusted_hops: int = Field(
        default=0,
        ge=0,
        le=10,
        validation_alias="GATEWAY_TRUSTED_HOPS",
        description="proxies in front whose X-Forwarded-For is believed, 0 to 10",
    )
    max_body_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        validation_alias="GATEWAY_MAX_BODY_BYTES",
        description="the largest request body, bytes, at least 1024",
    )
