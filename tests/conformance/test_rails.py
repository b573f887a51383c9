"""A rail's resource and the services that it configures name the same things: the operator imports no service."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
import yaml
from suuupra_operator import participants
from suuupra_operator.desired.rail import Rail, registration, resources
from suuupra_operator.rail import Participant, PaymentRailSpec, Profile, Rulebook

from services.bank_simulator.domain import profile as bank
from services.payments.contract import RailRegistration
from services.upi_core.contract import Participants, ParticipantStatus, Registration
from services.upi_core.domain import rulebook as switch
from suuupra import discovery
from suuupra.settings import example

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


@pytest.mark.parametrize("state", get_args(ParticipantStatus.model_fields["state"].annotation))
@pytest.mark.parametrize(
    ("shares", "percent"),
    [((0.975, 0.02), ("98%", "2%")), ((0.0, 1.0), ("0%", "100%")), ((None,) * 2, ("",) * 2)],
)
def test_the_rails_status_tells_of_a_participant_what_the_switch_says(
    state: Any, shares: tuple[float | None, float | None], percent: tuple[str, str]
) -> None:
    kind = "bank"
    assert kind in get_args(Registration.model_fields["kind"].annotation)
    said = ParticipantStatus(
        code="asha", name="Asha Bank", kind=kind, state=state, last_heartbeat_at=None, requests=200,
        success_share=shares[0], timeout_share=shares[1],
    )  # fmt: skip
    seen = participants.read(json.loads(Participants(items=[said]).model_dump_json(by_alias=True)))
    assert seen == {"asha": participants.Seen(kind, state, *shares)}
    told = participants.told(Participant(code="asha", name="Asha Bank"), seen, ready=True)
    assert (told.state, told.success_share, told.timeout_share) == (state, *percent)


def test_the_switch_says_that_where_the_operator_asks() -> None:
    found = discovery.find("upi-core")
    paths = found.create_app(example(found.settings(), service=found.name)).openapi()["paths"]
    answer = paths[participants.ADDRESS]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["$ref"].rpartition("/")[2] == Participants.__name__
    assert "delete" in paths[f"{participants.ADDRESS}/{{code}}"]
