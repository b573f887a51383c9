"""Settings of the operator's own process, read from its environment once, at its start."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from suuupra_operator.leadership import RETRY_SECONDS


class Settings(BaseSettings):
    """Variables start with SUUUPRA_OPERATOR_. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="SUUUPRA_OPERATOR_", frozen=True)

    namespace: str = "suuupra-system"
    """Where the operator runs, its Lease and its record of orphans are."""
    lease: str = "suuupra-operator"
    watch_namespaces: str = "suuupra"
    """Comma-separated namespaces whose resources are served."""
    image: str = ""
    """The operator's own image, which lints migrations; without it they run unjudged."""
    services: Path | None = None
    """The folder services/, whose FOLDER/ops/alerts.yaml say what is special to a service; without it nothing is."""
    port: int = Field(9000, ge=0, le=65535)
    workers: int = Field(16, ge=1, le=256)
    drift_seconds: float = Field(15.0, ge=0.2, le=30.0)
    relist_seconds: float = Field(45.0, ge=0.5, le=90.0)
    resync_seconds: float = Field(600.0, ge=0.5)
    lease_seconds: float = Field(RETRY_SECONDS, ge=0.1, le=3.0)
    """Between two tries to take the Lease, and between renewals."""
    log_level: str = "INFO"

    @property
    def namespaces(self) -> frozenset[str]:
        return frozenset(name.strip() for name in self.watch_namespaces.split(",") if name.strip())

    @property
    def in_cluster(self) -> bool:
        return "KUBERNETES_SERVICE_HOST" in os.environ

    @property
    def hostname(self) -> str:
        return socket.gethostname()
