# ruff: noqa: RUF012 - the default of a Pydantic field is copied for each instance
"""The spec of a SuuupraService: one workload and all it needs, as its user writes it.

The custom resource definition in ``crds/`` is generated from these classes (``python -m suuupra_operator crds``), so a
bound or rule is written once and holds both in the API server and in the operator.
"""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, model_validator

from suuupra_operator.routes import Route
from suuupra_operator.schema import (
    IMAGE,
    SET,
    Duration,
    Identifier,
    Label,
    Model,
    Quantity,
    TopicName,
    cel,
    list_map,
    quantity,
    rules,
)

#: Trusted extensions only: anything else would let a resource's author run code as PostgreSQL's superuser.
Extension = Literal[
    "btree_gin", "btree_gist", "citext", "fuzzystrmatch", "hstore", "pg_trgm", "unaccent", "vector"
]


class Reclaim(StrEnum):
    """What happens to data when the resource that declared it is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"
    SNAPSHOT = "Snapshot"


class Replicas(Model):
    """How many serving pods; an autoscaler is made when ``max`` is above ``min``."""

    model_config = {
        "json_schema_extra": rules(cel("!has(self.max) || self.max >= self.min", "max must be at least min"))
    }

    min: int = Field(1, ge=0, le=100)
    """Pods that always run. 0 stops the service and keeps its data."""
    max: int | None = Field(None, ge=1, le=100)
    """Upper bound of the autoscaler; default: min."""
    target_cpu: int = Field(70, ge=10, le=95, alias="targetCPU")
    """Percent of requested CPU at which the autoscaler adds pods."""

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        if self.max is not None and self.max < self.min:
            raise ValueError("max must be at least min")
        return self

    @property
    def autoscaled(self) -> bool:
        return self.max is not None and self.max > self.min > 0


class Workers(Model):
    """The second Deployment: relay and consumers. Made only where events are declared."""

    replicas: int = Field(1, ge=0, le=50)


class Amounts(Model):
    """CPU and memory, in Kubernetes quantities."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class Requests(Model):
    """What the scheduler reserves for a pod."""

    cpu: Quantity = "20m"
    memory: Quantity = "128Mi"


class Limits(Model):
    """What a pod may not exceed. CPU is not limited: throttling costs latency and saves nothing."""

    memory: Quantity = "384Mi"


class Resources(Model):
    """Requests and limits of every pod of the service."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "quantity(string(self.limits.memory)).compareTo(quantity(string(self.requests.memory))) >= 0",
                "limits.memory must be at least requests.memory",
            )
        )
    }

    requests: Requests = Requests()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _limit_holds_request(self) -> Resources:
        if quantity(self.limits.memory) < quantity(self.requests.memory):
            raise ValueError("limits.memory must be at least requests.memory")
        return self


class DatabaseSpec(Model):
    """A PostgreSQL database of its own, with an owner for migrations and another role for the application."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",
                "the name of a database cannot change: make a new resource and move the data",
            )
        )
    }

    name: Identifier | None = None
    """Database name; default: the resource's name with '-' as '_'. Immutable."""
    reclaim: Reclaim = Reclaim.RETAIN
    """Snapshot keeps a compressed dump in the object store and then deletes."""
    extensions: Annotated[list[Extension], Field(max_length=8, json_schema_extra=SET)] = []


class Bucket(Model):
    """A bucket in the object store, really named ``<resource>-<name>``."""

    name: Annotated[Label, Field(max_length=20)]
    reclaim: Literal[Reclaim.RETAIN, Reclaim.DELETE] = Reclaim.RETAIN


class Publishes(Model):
    """An event type this service owns: a Kafka topic, and ``<topic>.dlt`` beside it for what cannot be consumed."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "self.partitions >= oldSelf.partitions",
                "partitions can never be fewer: Kafka cannot remove them; publish to a new topic instead",
            )
        )
    }

    topic: TopicName
    partitions: int = Field(3, ge=1, le=256)
    retention: Duration = "7d"


class Consumes(Model):
    """An event type this service reads; its consumer group is the resource's name."""

    topic: TopicName


class Events(Model):
    """Topics published and consumed."""

    publishes: Annotated[list[Publishes], Field(max_length=32, json_schema_extra=list_map("topic"))] = []
    consumes: Annotated[list[Consumes], Field(max_length=64, json_schema_extra=list_map("topic"))] = []
    reclaim: Literal[Reclaim.RETAIN, Reclaim.DELETE] = Reclaim.RETAIN
    """Whether published topics are deleted with the resource, or with their entry in the list."""


class Grant(Model):
    """Secrets of this resource that others may read, and never write."""

    path: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", max_length=200)
    """Below the resource's own name: ``clients/web`` of identity is identity/clients/web."""
    to: Annotated[list[Label], Field(min_length=1, max_length=32, json_schema_extra=SET)]
    """Resources of the same namespace. Each needs ``secrets`` of its own, perhaps empty, to log in at all."""


class SecretsSpec(Model):
    """Secrets that outlive the pods: all below the resource's name is its own to read and write."""

    grants: Annotated[list[Grant], Field(max_length=32, json_schema_extra=list_map("path"))] = []
    reclaim: Literal[Reclaim.RETAIN, Reclaim.DELETE] = Reclaim.RETAIN


IN_CLUSTER = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?[.][a-z0-9]([a-z0-9-]*[a-z0-9])?[.]svc([.][a-z0-9.-]+)?$"
CIDR = r"^([0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}|[0-9a-fA-F:.]+/[0-9]{1,3})$"
HOST_RULE = "host must be NAME.NAMESPACE.svc, a server in the cluster: of one outside give the cidr"


class Egress(Model):
    """A way out that no other field of the resource asks for: to a server in the cluster, to a network, or to the
    internet. It goes into the network policy, which a cluster enforces only where its CNI does."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "[has(self.host), has(self.cidr), self.internet].exists_one(given, given)",
                "exactly one of host, cidr and internet says where to",
            ),
            cel(f"!has(self.host) || self.host.matches('{IN_CLUSTER}')", HOST_RULE, fieldPath=".host"),
        )
    }

    host: str | None = Field(None, max_length=253)
    """A server in the cluster, NAME.NAMESPACE.svc: the pods of its namespace. A resource is reached by `calls`."""
    cidr: str | None = Field(None, pattern=CIDR, max_length=43)
    """A network by its address, 192.0.2.0/24: for servers outside the cluster, since a policy knows no names."""
    internet: bool = False
    """Every public address, and none of the private ones, where the cluster and its neighbours are."""
    ports: Annotated[
        list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=1, max_length=16, json_schema_extra=SET)
    ]
    """TCP ports; of a server in the cluster those that its pods listen on, which its Service may call otherwise."""

    @model_validator(mode="after")
    def _one_place(self) -> Egress:
        if [self.host is not None, self.cidr is not None, self.internet].count(True) != 1:
            raise ValueError("exactly one of host, cidr and internet says where to")
        if self.host is not None and not re.match(IN_CLUSTER, self.host):
            raise ValueError(HOST_RULE)
        if self.cidr is not None:
            _check_network(self.cidr)
        return self


def _check_network(cidr: str) -> None:
    try:
        ip_network(cidr)
    except ValueError as error:
        raise ValueError(
            f"cidr must be a network and the length of its prefix, 192.0.2.0/24: {error}"
        ) from None


class JobSpec(Model):
    """Something to run once, with the service's environment, as soon as it is Ready."""

    name: Annotated[Label, Field(max_length=20)]
    image: Label | None = None
    """Image name in the platform's repository; default: the service's own image."""
    args: list[Annotated[str, Field(max_length=500)]] = Field(min_length=1, max_length=32)


class Slo(Model):
    """What the service promises; alerts and the dashboard are generated from it."""

    availability: float = Field(99.9, ge=50, lt=100)
    """Percent of requests answered without a server error."""
    latency_p99: Duration = Field("300ms", alias="latencyP99")


class SuuupraServiceSpec(Model):
    """What is wanted. Every field has a sound default."""

    model_config = {
        "json_schema_extra": rules(
            cel("self.service == oldSelf.service", "service cannot change: make another resource"),
            cel(
                "!has(self.env) || self.env.all(k, k.matches('^[A-Z_][A-Z0-9_]*$') && !k.startsWith('SUUUPRA_'))",
                "env: a key is upper case and does not start with SUUUPRA_, which is the operator's",
                fieldPath=".env",
            ),
        )
    }

    service: Annotated[str, Field(pattern=r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$", max_length=40)] = ""
    """Folder of the code, with '-' for '_'; default: the resource's name. Immutable."""
    image: str | None = Field(None, pattern=IMAGE, max_length=300)
    """Full image reference; default: what the platform pins for the service."""
    replicas: Replicas = Replicas()
    workers: Workers = Workers()
    resources: Resources | None = None
    """Default: the platform's."""
    database: DatabaseSpec | None = None
    buckets: Annotated[list[Bucket], Field(max_length=8, json_schema_extra=list_map("name"))] = []
    events: Events | None = None
    secrets: SecretsSpec | None = None
    """Access to the platform's secret store, by the pods' own projected token."""
    mail: bool = False
    """Whether it sends mail: the mail server's address, and the way there."""
    cache: bool = False
    """Whether it uses Valkey: a user of its own in SUUUPRA_VALKEY_URL, for keys that begin with SUUUPRA_VALKEY_PREFIX."""
    routes: Annotated[list[Route], Field(max_length=64)] = []
    calls: Annotated[list[Label], Field(max_length=32, json_schema_extra=SET)] = []
    """Resources this one may reach over HTTP: the network policy, and SUUUPRA_URL_<NAME>."""
    egress: Annotated[list[Egress], Field(max_length=16)] = []
    """Ways out that nothing else here asks for: the network policy lets pods out to declared places only."""
    depends_on: Annotated[list[Label], Field(max_length=32, json_schema_extra=SET)] = []
    """Resources that must be Ready before this one is rolled out for the first time."""
    env: dict[str, Annotated[str, Field(max_length=4096)]] = Field({}, max_length=64)
    jobs: Annotated[list[JobSpec], Field(max_length=8, json_schema_extra=list_map("name"))] = []
    automount_service_account_token: bool = False
    """Only for a workload that talks to the Kubernetes API; its rights come from outside the operator."""
    slo: Slo = Slo()

    @model_validator(mode="after")
    def _environment(self) -> SuuupraServiceSpec:
        taken = sorted(key for key in self.env if key.startswith("SUUUPRA_"))
        if taken:
            raise ValueError(f"env.{taken[0]}: keys that start with SUUUPRA_ are the operator's")
        return self

    @property
    def works(self) -> bool:
        """Whether a worker Deployment is needed."""
        return self.events is not None and bool(self.events.publishes or self.events.consumes)
