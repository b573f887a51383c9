# ruff: noqa: RUF012 - the default of a Pydantic field is copied for each instance
"""The status of each resource: what the operator observed, and what it must not forget."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from suuupra_operator.routes import Route
from suuupra_operator.schema import Model, list_map


class Condition(Model):
    """One aspect of the state, as in the Kubernetes API conventions."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


class RouteStatus(Route):
    """A route and whether the gateway may serve it."""

    model_config = {"json_schema_extra": None, "extra": "ignore"}

    accepted: bool
    reason: str = ""
    message: str = ""


class DatabaseStatus(Model):
    """Where the database is and which login the pods use now."""

    name: str
    login: str = ""
    rotation: str = ""
    """The value of suuupra.io/rotate that was last acted upon."""


class Claims(Model):
    """Everything outside Kubernetes made for this resource: written before it is made, so that nothing is forgotten."""

    database: str = ""
    topics: list[str] = []
    buckets: list[str] = []
    secrets: str = ""
    """The name below which secrets are kept, and of the policy and the role."""
    cache: str = ""
    """The user in Valkey."""


class JobStatus(Model):
    """A job of spec.jobs that was run."""

    name: str
    hash: str
    state: Literal["Running", "Succeeded", "Failed"]


class SuuupraServiceStatus(Model):
    """What was observed."""

    model_config = {"extra": "ignore"}

    observed_generation: int = 0
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type"))] = []
    replicas: int = 0
    ready_replicas: int = 0
    selector: str = ""
    version: str = ""
    image: str = ""
    """The image whose migrations are through: what serves."""
    migrated: str = ""
    """Which migration was last run to its end: of an image, on one incarnation of the database."""
    database: DatabaseStatus | None = None
    claims: Claims = Claims()
    access: str = ""
    """Digest of the policy and the role in the secret store, as last wanted."""
    cache: str = ""
    """Digest of the user in Valkey, as last wanted."""
    routes: list[RouteStatus] = []
    jobs: list[JobStatus] = []


class SuuupraPlatformStatus(Model):
    """Whether the backing servers answer."""

    model_config = {"extra": "ignore"}

    observed_generation: int = 0
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type"))] = []
    services: int = 0
    ready_services: int = 0


class RailParticipantStatus(Model):
    """A bank as its resource and the switch see it."""

    code: str
    name: str
    resource: str
    ready: bool = False
    """Whether its resource is Ready."""
    state: Literal["up", "down", "unknown"] = "unknown"
    """What the switch says of its heartbeats."""
    success_share: str = ""
    """Of the last minutes' requests, in percent; empty without traffic."""
    timeout_share: str = ""


class PaymentRailStatus(Model):
    """How the rail does."""

    model_config = {"extra": "ignore"}

    observed_generation: int = 0
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type"))] = []
    participants: Annotated[list[RailParticipantStatus], Field(json_schema_extra=list_map("code"))] = []
    healthy: str = ""
    """Participants that are up, of all."""
    success_share: str = ""
    """The worst participant's."""
    registered: str = ""
    """Digest of what the merchant's service was last told."""
    registered_with: str = ""
    """Which service that is."""
