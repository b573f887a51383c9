"""What a PaymentRail consists of: a SuuupraService for its switch and one per bank, and what its merchant's service is told.

Pure. The resources it makes are made real like any other; nothing here knows of pods.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from suuupra_operator.desired.subject import GROUP_VERSION, HTTP_PORT, MANAGER, Manifest
from suuupra_operator.rail import Participant, PaymentRailSpec

RAIL = "suuupra.io/rail"
"""Label of what a rail makes."""


@dataclass(frozen=True)
class Rail:
    """One PaymentRail."""

    namespace: str
    name: str
    uid: str
    spec: PaymentRailSpec

    @property
    def switch(self) -> str:
        """Name of the switch's resource."""
        return self.spec.switch.service

    def members(self) -> set[str]:
        """Names of all resources that the rail makes."""
        return {self.switch, *map(resource_of, self.spec.participants)}

    def operated(self) -> set[str]:
        """Resources whose internal API the operator asks."""
        return {self.switch, self.spec.register_with}


def resource_of(participant: Participant) -> str:
    """The resource of a bank."""
    return f"bank-{participant.code}"


def resources(rail: Rail) -> list[Manifest]:
    """Every SuuupraService of the rail, the switch first."""
    return [_switch(rail), *(_bank(rail, participant) for participant in rail.spec.participants)]


def registration(rail: Rail) -> dict[str, Any]:
    """What the merchant's service is told (PUT /internal/v1/rails/{name})."""
    spec = rail.spec
    told = {
        "kind": spec.type,
        "url": address(rail.switch, rail.namespace),
        "participants": [{"code": p.code, "name": p.name} for p in spec.participants],
        "settlement": spec.settlement or spec.participants[0].code,
        "account": spec.account,
        "rulebook": spec.rulebook.told(),
    }
    return {key: value for key, value in told.items() if value is not None}


def address(resource: str, namespace: str) -> str:
    """Where pods reach a resource."""
    return f"http://{resource}.{namespace}.svc:{HTTP_PORT}"


def _switch(rail: Rail) -> Manifest:
    switch = rail.spec.switch
    banks = [resource_of(participant) for participant in rail.spec.participants]
    spec: Manifest = {
        "service": switch.service,
        "image": switch.image,
        "replicas": switch.replicas.manifest(),
        "resources": switch.resources.manifest() if switch.resources else None,
        "routes": [route.manifest() for route in switch.routes],
        "calls": sorted({*banks, *switch.calls, rail.spec.register_with}),
        "env": switch.env | {"RAIL_RULEBOOK": _json(rail.spec.rulebook.told())},
        "slo": switch.slo.manifest(),
    }
    return _resource(rail, rail.switch, spec)


def _bank(rail: Rail, participant: Participant) -> Manifest:
    banks = rail.spec.banks
    profile = {"code": participant.code, "name": participant.name} | participant.profile.manifest()
    spec: Manifest = {
        "service": banks.service,
        "image": banks.image,
        "replicas": participant.replicas.manifest(),
        "resources": banks.resources.manifest() if banks.resources else None,
        "calls": [rail.switch],
        "env": banks.env | participant.env | {"BANK_PROFILE": _json(profile)},
        "slo": banks.slo.manifest(),
    }
    return _resource(rail, resource_of(participant), spec)


def _resource(rail: Rail, name: str, spec: Manifest) -> Manifest:
    """A member with a database of its own, which outlives it: its money is in there, and the keys it signs with."""
    owner = {
        "apiVersion": GROUP_VERSION,
        "kind": "PaymentRail",
        "name": rail.name,
        "uid": rail.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": GROUP_VERSION,
        "kind": "SuuupraService",
        "metadata": {
            "name": name,
            "namespace": rail.namespace,
            "labels": {
                RAIL: rail.name,
                "app.kubernetes.io/part-of": "suuupra",
                "app.kubernetes.io/managed-by": MANAGER,
            },
            "ownerReferences": [owner],
        },
        "spec": {"database": {"reclaim": "Retain"}}
        | {key: value for key, value in spec.items() if value not in (None, [], {})},
    }


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
