"""A PaymentRail: what it is made of, what it tells, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from suuupra_operator.desired.network import network_policy
from suuupra_operator.desired.rail import Rail, registration, resources
from suuupra_operator.desired.subject import Subject
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.primaries import Primaries
from suuupra_operator.queue import Key, Queue
from suuupra_operator.rail import PaymentRailSpec

UPI: dict[str, Any] = {
    "participants": [
        {"code": "asha", "name": "Asha Bank"},
        {
            "code": "banyan",
            "name": "Banyan Bank",
            "profile": {"latency": "80ms", "failureShare": 0.02, "seed": 7},
        },
    ],
    "switch": {"routes": [{"path": "/phone", "auth": "none"}]},
    "rulebook": {"scale": 30, "payTimer": 15, "netDebitCaps": {"asha": 1000}},
}


def rail(spec: dict[str, Any] | None = None, **changed: Any) -> Rail:
    return Rail("suuupra", "upi", "uid-r", PaymentRailSpec.model_validate((spec or UPI) | changed))


def made(of: Rail) -> dict[str, dict[str, Any]]:
    return {manifest["metadata"]["name"]: manifest for manifest in resources(of)}


def test_a_rail_may_name_the_images_of_its_parts_and_else_leaves_them_to_the_platform() -> None:
    assert not any("image" in manifest["spec"] for manifest in made(rail()).values())
    named = made(rail(switch={"image": "suuupra/upi-core:1"}, banks={"image": "suuupra/bank-simulator:2"}))
    assert {name: manifest["spec"]["image"] for name, manifest in named.items()} == {
        "upi-core": "suuupra/upi-core:1",
        "bank-asha": "suuupra/bank-simulator:2",
        "bank-banyan": "suuupra/bank-simulator:2",
    }


def test_a_rail_is_a_switch_and_a_bank_per_participant() -> None:
    found = made(rail())
    assert list(found) == ["upi-core", "bank-asha", "bank-banyan"]
    assert {name: manifest["spec"]["service"] for name, manifest in found.items()} == {
        "upi-core": "upi-core",
        "bank-asha": "bank-simulator",
        "bank-banyan": "bank-simulator",
    }
    for manifest in found.values():
        spec = SuuupraServiceSpec.model_validate(manifest["spec"])
        assert spec.database is not None
        assert spec.database.reclaim == "Retain"
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("PaymentRail", "upi", True)


def test_the_switch_reaches_every_participant_and_the_banks_only_the_switch() -> None:
    found = made(rail())
    assert found["upi-core"]["spec"]["calls"] == ["bank-asha", "bank-banyan", "payments"]
    assert found["bank-asha"]["spec"]["calls"] == ["upi-core"]


def test_profile_and_rulebook_reach_them_as_they_were_written() -> None:
    found = made(rail())
    profile = json.loads(found["bank-banyan"]["spec"]["env"]["BANK_PROFILE"])
    assert profile["code"] == "banyan"
    assert (profile["latency"], profile["failureShare"], profile["seed"]) == ("80ms", 0.02, 7)
    rulebook = json.loads(found["upi-core"]["spec"]["env"]["RAIL_RULEBOOK"])
    assert rulebook == {"scale": 30, "payTimer": 15, "netDebitCaps": {"asha": 1000}}


def test_editing_one_participant_changes_that_bank_alone() -> None:
    before, edited = made(rail()), json.loads(json.dumps(UPI))
    edited["participants"][1]["profile"]["latency"] = "200ms"
    after = made(rail(edited))
    assert [name for name in before if before[name] != after[name]] == ["bank-banyan"]


def test_the_merchant_is_told_the_switch_the_banks_and_where_its_account_is() -> None:
    told = registration(rail())
    assert told["url"] == "http://upi-core.suuupra.svc:8000"
    assert told["participants"] == [
        {"code": "asha", "name": "Asha Bank"},
        {"code": "banyan", "name": "Banyan Bank"},
    ]
    assert told["settlement"] == "asha"
    assert registration(rail(settlement="banyan"))["settlement"] == "banyan"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"participants": []}, "participants"),
        ({"participants": [UPI["participants"][0]] * 2}, "asha is named twice"),
        ({"settlement": "dhak"}, "must be the code of a participant"),
        ({"rulebook": {"netDebitCaps": {"dhak": 1}}}, "dhak is no participant"),
        ({"rulebook": {"payTime": 15}}, "payTime"),
        ({"type": "cards"}, "type"),
        ({"switch": {"env": {"RAIL_RULEBOOK": "{}"}}}, "is written by the operator"),
        ({"banks": {"env": {"SUUUPRA_NAME": "x"}}}, "is written by the operator"),
        (
            {
                "participants": [
                    {"code": "asha", "name": "A", "profile": {"timeoutShare": 0.7, "failureShare": 0.7}}
                ]
            },
            "together at most 1",
        ),
        ({"participants": [{"code": "asha", "name": "A", "profile": {"latency": "soon"}}]}, "latency"),
    ],
)
def test_o2_a_wrong_rail_is_refused_by_field(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        rail(**changed)


def _object(kind: str, name: str, spec: dict[str, Any], **meta: Any) -> dict[str, Any]:
    head = {
        "name": name,
        "namespace": "suuupra",
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "generation": 1,
    }
    head |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"apiVersion": "suuupra.io/v1alpha1", "kind": kind, "metadata": head | meta, "spec": spec}


def waiting(queue: Queue) -> set[str]:
    return {key.name for key in queue._waiting}


def test_a_rail_is_looked_at_when_one_of_its_resources_changes() -> None:
    queue = Queue()
    primaries = Primaries(queue)
    primaries.put(_object("PaymentRail", "upi", UPI))
    queue._waiting.clear()
    queue._queued.clear()
    bank = resources(rail())[1]
    primaries.put(
        _object(
            "SuuupraService", "bank-asha", bank["spec"], ownerReferences=bank["metadata"]["ownerReferences"]
        )
    )
    assert Key("PaymentRail", "suuupra", "upi") in queue._queued


def test_the_operator_is_let_in_where_a_rail_asks_and_nowhere_else() -> None:
    primaries = Primaries(Queue())
    primaries.put(_object("PaymentRail", "upi", UPI))
    assert primaries.operated("suuupra", "payments")
    assert primaries.operated("suuupra", "upi-core")
    assert not primaries.operated("suuupra", "bank-asha")
    assert not primaries.operated("elsewhere", "payments")

    def froms(operated: bool) -> list[Any]:
        spec = SuuupraServiceSpec()
        one = Subject("suuupra", "payments", "u", spec, SuuupraPlatformSpec(), operated=operated)
        return [rule.get("from") for rule in network_policy(one)["spec"]["ingress"]]

    opened = [rule for rule in froms(True) if rule not in froms(False)]
    assert len(opened) == 1
    assert opened[0][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "suuupra-operator"}}


def test_whom_secrets_are_granted_to_is_looked_at_again_when_that_changes() -> None:
    queue = Queue()
    primaries = Primaries(queue)
    primaries.put(_object("SuuupraService", "web", {"secrets": {}}))
    queue._waiting.clear()
    queue._queued.clear()
    granting = {"secrets": {"grants": [{"path": "clients/web", "to": ["web"]}]}}
    primaries.put(_object("SuuupraService", "identity", granting))
    assert "web" in waiting(queue)
