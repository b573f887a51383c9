"""PaymentRail: the switch and the banks come up, are told of, are watched over, and go; under traffic nothing is lost.

One rail comes up once and is asked, edited, damaged and left, test by test: seven pods take longer to start than most of
what is asked about them.
"""

from __future__ import annotations

import copy
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from suuupra_operator.writes import Write

from .api import NAMESPACE, Api
from .outside import Outside
from .process import Crew
from .waiting import eventually

UPI: dict[str, Any] = {
    "switch": {"service": "workload"},
    "banks": {"service": "workload"},
    "participants": [{"code": "asha", "name": "Asha Bank"}, {"code": "banyan", "name": "Banyan Bank"}],
    "registerWith": "till",
    "rulebook": {"scale": 30},
}
TILL: dict[str, Any] = {"service": "workload"}
OF_RAIL = {"kind": "PaymentRail"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(connected: Api) -> AsyncIterator[Api]:
    """What one test leaves to the next; after the last one it is gone."""
    yield connected
    await connected.clean_up()


@pytest_asyncio.fixture(loop_scope="session")
async def bare(ground: Api, crew: Crew) -> Api:
    """The platform and an operator that leads."""
    await ground.platform()
    await crew.stand()
    return ground


@pytest_asyncio.fixture(loop_scope="session")
async def up(bare: Api) -> Api:
    """The rail and its merchant, Ready again after whatever the test before did."""
    await bare.service("till", TILL)
    await bare.rail("upi", UPI)
    await bare.until("upi", "Ready", 150, OF_RAIL, status="True")
    return bare


@pytest_asyncio.fixture(loop_scope="session")
async def hurry(connected: Api) -> AsyncIterator[None]:
    """Where pods go: how long they take to is not what is asked."""
    async with connected.hurried():
        yield


async def asked(api: Api, resource: str, path: str) -> Any:
    proxy = f"/api/v1/namespaces/{NAMESPACE}/services/http:{resource}:8000/proxy{path}"
    return await api.cluster.passed_on("GET", proxy)


def edited(change: Any) -> dict[str, Any]:
    spec = copy.deepcopy(UPI)
    change(spec)
    return spec


@pytest.mark.usefixtures("hurry")
async def test_o20_killed_while_telling_of_a_rail_it_tells_again(api: Api, alone: Crew) -> None:
    await api.service("till", TILL)
    await api.rail("upi", UPI)
    await _killed(api, alone, Write.RAIL_REGISTERED)
    await alone.stand()
    await api.until("upi", "Ready", 150, OF_RAIL, status="True")
    await alone.end()

    await api.rail("upi", edited(lambda spec: spec["participants"].pop()))
    doomed = alone.start(SUUUPRA_FAILPOINTS=f"operator.{Write.PARTICIPANT_REMOVED.value}")
    await api.gone("SuuupraService", "bank-banyan", 90)
    await _remembered(api, "banyan")
    assert await doomed.died(120, Write.PARTICIPANT_REMOVED.value) == -signal.SIGKILL
    await api.forget_lease()
    await _remembered(api, "banyan")
    await alone.stand()
    await eventually(
        lambda: _known_to_the_switch(api, ["asha"]), 90, "the switch is told again, and forgets it"
    )
    await alone.end()

    await api.delete("PaymentRail", "upi")
    await _killed(api, alone, Write.RAIL_DEREGISTERED)
    await alone.stand()
    await api.gone("PaymentRail", "upi", 60)


async def test_o2_a_rail_whose_merchant_is_not_there_says_so(bare: Api) -> None:
    await bare.rail("upi", UPI)
    waiting = await bare.until("upi", "Registered", 30, OF_RAIL, status="False")
    assert "there is no resource till yet" in waiting["message"]


async def test_a_rail_brings_up_a_switch_and_its_banks_and_says_how_they_do(up: Api) -> None:
    assert up.servers.databases() >= {"bank_asha", "bank_banyan", "workload"}
    told = await asked(up, "till", "/internal/v1/rails/upi")
    assert told["url"] == "http://workload.suuupra.svc:8000"
    assert [p["code"] for p in told["participants"]] == ["asha", "banyan"]
    status = (await up.must("PaymentRail", "upi"))["status"]
    assert (status["healthy"], status["successShare"]) == ("2/2", "100%")
    printed = up.kind.kubectl("get", "paymentrails", "-n", NAMESPACE).stdout.split("\n")
    assert printed[0].split() == ["NAME", "READY", "REASON", "TYPE", "HEALTHY", "SUCCESS", "AGE"]
    assert printed[1].split()[:6] == ["upi", "True", "Ready", "upi", "2/2", "100%"]
    assert (
        "2 participants take payments" in up.kind.kubectl("describe", "rail", "upi", "-n", NAMESPACE).stdout
    )
    listed = up.kind.kubectl("get", "suuupra", "-n", NAMESPACE).stdout
    assert "paymentrail" in listed


async def test_editing_a_participant_under_traffic_loses_nothing_and_touches_no_other(up: Api) -> None:
    others = [
        (await up.must("Deployment", name))["metadata"]["generation"] for name in ("workload", "bank-asha")
    ]

    def slower(spec: Any) -> None:
        spec["participants"][1]["profile"] = {"latency": "200ms", "seed": 9}

    async with Outside.of(up, "bank-banyan") as bank, bank.under_traffic():
        await up.rail("upi", edited(slower))
        await eventually(
            lambda: '\\"seed\\":9' in bank.ask("/environment")[0], 90, "the bank has its new profile"
        )
        await up.until("upi", "Ready", 90, OF_RAIL, status="True")
    after = [
        (await up.must("Deployment", name))["metadata"]["generation"] for name in ("workload", "bank-asha")
    ]
    assert after == others


@pytest.mark.usefixtures("hurry")
async def test_a_participant_that_is_removed_goes_and_its_database_stays(up: Api) -> None:
    which = "select oid from pg_database where datname = 'bank_banyan'"
    before = up.servers.psql(which)
    await up.rail("upi", edited(lambda spec: spec["participants"].pop()))
    await up.gone("SuuupraService", "bank-banyan", 90)
    assert up.servers.psql(which) == before
    told = await asked(up, "till", "/internal/v1/rails/upi")
    assert [p["code"] for p in told["participants"]] == ["asha"]

    async def forgotten() -> bool:
        known = await asked(up, "workload", "/internal/v1/participants")
        return [item["code"] for item in known["items"]] == ["asha"]

    await eventually(forgotten, 90, "the switch forgets it")
    await up.rail("upi", UPI)
    await up.until("upi", "Ready", 150, OF_RAIL, status="True")
    assert up.servers.psql(which) == before, "whoever comes back finds its money"


@pytest.mark.usefixtures("hurry")
async def test_o1_a_bank_that_was_deleted_or_edited_by_hand_is_put_right(up: Api) -> None:
    before = await up.must("SuuupraService", "bank-asha")
    await up.merge("SuuupraService", "bank-asha", {"spec": {"env": {"BANK_PROFILE": "{}", "MINE": "1"}}})

    async def right() -> bool:
        env = (await up.must("SuuupraService", "bank-asha"))["spec"]["env"]
        return "MINE" not in env and json.loads(env["BANK_PROFILE"])["code"] == "asha"

    await eventually(right, 10, "the bank is as the rail says")
    await up.delete("SuuupraService", "bank-asha")

    async def returned() -> bool:
        found = await up.get("SuuupraService", "bank-asha")
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    await eventually(returned, 90, "the bank is back")
    await up.until("upi", "Ready", 120, OF_RAIL, status="True")


async def test_o3_a_rail_at_rest_writes_nothing(up: Api, crew: Crew) -> None:
    await crew.end()
    operator = crew.start(drift_seconds="0.5", resync_seconds="0.5")
    await operator.leading()
    seen = (-1.0, 0.0)

    def settled() -> bool:
        nonlocal seen
        now = (
            operator.total("suuupra_operator_writes_total"),
            operator.total("suuupra_operator_reconciles_total"),
        )
        if now[0] != seen[0]:
            seen = now
        return now[1] >= seen[1] + 50

    await eventually(settled, 90, "ten rounds over a rail and its resources without a write")


@pytest.mark.usefixtures("hurry")
async def test_o8_a_rail_that_is_deleted_takes_its_resources_along_and_keeps_their_data(up: Api) -> None:
    await up.delete("PaymentRail", "upi")
    await up.gone("PaymentRail", "upi", 60)
    for name in ("workload", "bank-asha", "bank-banyan"):
        await up.gone("SuuupraService", name, 90)
    assert up.servers.databases() >= {"bank_asha", "bank_banyan"}
    kept = f"/api/v1/namespaces/{NAMESPACE}/services/http:till:8000/proxy/environment"
    assert await up.cluster.passed_on("GET", kept) == {}


@pytest.mark.usefixtures("hurry")
async def test_o8_rail_merchant_and_platform_deleted_together_all_end(up: Api) -> None:
    await up.delete("SuuupraPlatform", "suuupra", "")
    await up.delete("SuuupraService", "till")
    await up.delete("PaymentRail", "upi")
    await up.gone("PaymentRail", "upi", 60)
    await up.gone("SuuupraService", "till", 60)
    await up.gone("SuuupraPlatform", "suuupra", 120, namespace="")


async def _remembered(api: Api, code: str) -> None:
    """A switch that keeps its participants, as the real one does: the stand-in's memory ends with its pod."""
    proxy = (
        f"/api/v1/namespaces/{NAMESPACE}/services/http:workload:8000/proxy/internal/v1/participants/{code}"
    )
    await api.cluster.passed_on("PUT", proxy, {"kind": "bank", "state": "up", "success_share": 1.0})


async def _known_to_the_switch(api: Api, codes: list[str]) -> bool:
    known = await asked(api, "workload", "/internal/v1/participants")
    return [item["code"] for item in known["items"]] == codes


async def _killed(api: Api, crew: Crew, write: Write) -> None:
    """One operator, killed after its first write of a kind."""
    doomed = crew.start(SUUUPRA_FAILPOINTS=f"operator.{write.value}")
    assert await doomed.died(180, write.value) == -signal.SIGKILL
    await api.forget_lease()
