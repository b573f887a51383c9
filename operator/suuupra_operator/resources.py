# ruff: noqa: RUF012 - pydantic reads model_config, nobody changes it
"""The custom resources: name, scope, printer columns and scale, around spec and status."""

from __future__ import annotations

from typing import Any, ClassVar

from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.rail import PaymentRailSpec
from suuupra_operator.schema import Model, cel, rules
from suuupra_operator.status import PaymentRailStatus, SuuupraPlatformStatus, SuuupraServiceStatus


class SuuupraService(Model):
    """One workload of the platform and all it needs."""

    model_config = {
        "extra": "ignore",
        "json_schema_extra": rules(
            cel(
                "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",
                "metadata.name: lower case letters, digits and '-', starting with a letter, at most 40 characters",
            ),
            cel(
                "!has(self.spec.dependsOn) || !(self.metadata.name in self.spec.dependsOn)",
                "dependsOn: a resource cannot depend on itself",
            ),
            cel(
                "!has(self.spec.calls) || !(self.metadata.name in self.spec.calls)",
                "calls: a resource does not call itself",
            ),
        ),
    }
    plural: ClassVar[str] = "suuupraservices"
    short: ClassVar[str] = "ssvc"
    scope: ClassVar[str] = "Namespaced"
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Reason", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].reason'},
        {"name": "Replicas", "type": "integer", "jsonPath": ".status.readyReplicas"},
        {"name": "Version", "type": "string", "jsonPath": ".status.version"},
        {"name": "Database", "type": "string", "jsonPath": ".status.database.name"},
        {
            "name": "Message",
            "type": "string",
            "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
            "priority": 1,
        },
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    scale: ClassVar[dict[str, str] | None] = {
        "specReplicasPath": ".spec.replicas.min",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }

    spec: SuuupraServiceSpec = SuuupraServiceSpec()
    status: SuuupraServiceStatus = SuuupraServiceStatus()


class PaymentRail(Model):
    """A payment rail: a switch, and one bank per participant."""

    model_config = {
        "extra": "ignore",
        "json_schema_extra": rules(
            cel(
                "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",
                "metadata.name: lower case letters, digits and '-', starting with a letter, at most 40 characters",
            )
        ),
    }
    plural: ClassVar[str] = "paymentrails"
    short: ClassVar[str] = "rail"
    scope: ClassVar[str] = "Namespaced"
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Reason", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].reason'},
        {"name": "Type", "type": "string", "jsonPath": ".spec.type"},
        {"name": "Healthy", "type": "string", "jsonPath": ".status.healthy"},
        {"name": "Success", "type": "string", "jsonPath": ".status.successShare"},
        {
            "name": "Message",
            "type": "string",
            "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
            "priority": 1,
        },
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    scale: ClassVar[dict[str, str] | None] = None

    spec: PaymentRailSpec
    status: PaymentRailStatus = PaymentRailStatus()


class SuuupraPlatform(Model):
    """The platform: one per cluster, named suuupra."""

    model_config = {
        "extra": "ignore",
        "json_schema_extra": rules(
            cel(
                "self.metadata.name == 'suuupra'",
                "metadata.name: there is one platform and it is called suuupra",
            )
        ),
    }
    plural: ClassVar[str] = "suuupraplatforms"
    short: ClassVar[str] = "splat"
    scope: ClassVar[str] = "Cluster"
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Profile", "type": "string", "jsonPath": ".spec.profile"},
        {"name": "URL", "type": "string", "jsonPath": ".spec.publicURL"},
        {"name": "Services", "type": "integer", "jsonPath": ".status.services"},
        {"name": "Serving", "type": "integer", "jsonPath": ".status.readyServices"},
        {
            "name": "Message",
            "type": "string",
            "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
            "priority": 1,
        },
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    scale: ClassVar[dict[str, str] | None] = None

    spec: SuuupraPlatformSpec = SuuupraPlatformSpec()
    status: SuuupraPlatformStatus = SuuupraPlatformStatus()
