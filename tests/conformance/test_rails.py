"""A rail's resource and the services that it configures name the same things: the operator imports no service."""

from __future__ import annotations

import json

import pytest
import yaml
from suuupra_operator.desired.rail import Rail, registration, resources
from suuupra_operator.rail import PaymentRailSpec, Profile, Rulebook

from services.bank_simulator.domain import profile as bank
from services.payments.contract import RailRegistration
from services.upi_core.domain import rulebook as switch

from .tree import ROOT

RAILS = [
    Rail(
        one["metadata"]["namespace"],
        one["metadata"]["name"],
        "uid",
        PaymentRailSpec.model_validate(one["spec"]),
    )
    for one in (
        yaml.safe_load(path.read_text()) for path in sorted((ROOT / "manifests/rails").glob("*.yaml"))
    )
]
EVERY = pytest.mark.parametrize("rail", RAILS, ids=lambda rail: rail.name)


def test_the_resource_can_say_what_switch_and_bank_understand_and_nothing_else() -> None:
    assert {*Rulebook.model_fields} == {*switch.Rulebook.model_fields}
    assert {*Profile.model_fields} | {"code", "name"} == {*bank.Profile.model_fields}


def test_what_the_resource_leaves_out_is_the_services_own() -> None:
    assert switch.Rulebook.model_validate(Rulebook().told()) == switch.Rulebook()
    seed_and_latency = {"latency": "20ms", "seed": 1}
    assert bank.Profile.model_validate(Profile().manifest()) == bank.Profile.model_validate(seed_and_latency)


@EVERY
def test_the_rails_of_this_platform_are_read_by_those_they_are_for(rail: Rail) -> None:
    switch_, *banks = resources(rail)
    switch.Rulebook.model_validate_json(switch_["spec"]["env"]["RAIL_RULEBOOK"])
    for manifest in banks:
        told = bank.Profile.model_validate_json(manifest["spec"]["env"]["BANK_PROFILE"])
        assert manifest["metadata"]["name"] == f"bank-{told.code}"
    found = RailRegistration.model_validate_json(json.dumps(registration(rail)))
    assert found.settlement == rail.spec.settlement
