"""Of two resources that claim the same one gets it; the other is told which field, by which rule, and what to do."""

from __future__ import annotations

import pytest
from suuupra_operator.bus import Bus
from suuupra_operator.conditions import routes
from suuupra_operator.errors import ApiError, Conflict, OperatorError, Permanent, ServerMissing
from suuupra_operator.provide.objects import _finding as of_buckets
from suuupra_operator.provide.topics import TopicProvider
from suuupra_operator.provide.topics import _finding as of_topics
from suuupra_operator.rails import _reason
from suuupra_operator.round import Round
from suuupra_operator.status import SuuupraServiceStatus
from suuupra_operator.writes import Gate

from .samples import subject
from .test_rail_reconcile import Free

HOLDER = "suuupra/holder"


def test_o4_a_lost_topic_is_told_with_its_field_and_what_to_do() -> None:
    bus = Bus(Gate(Free()))
    bus.topics = {}
    wanted = subject({"events": {"publishes": [{"topic": "a.made"}, {"topic": "b.made"}]}})
    lost = {"b.made": HOLDER, "b.made.dlt": HOLDER}
    plan = TopicProvider(bus).plan(wanted, SuuupraServiceStatus(), lost, settled=False)
    finding = of_topics(plan)
    assert finding.reason == "ResourceConflict"
    assert finding.message == "; ".join(
        f"events.publishes[1].topic: topic {name} belongs to resource suuupra/holder: "
        f"publish under another name, consume it instead, or annotate suuupra.io/adopt={name} to take it over"
        for name in lost
    )


def test_o2_a_lost_bucket_is_told_with_its_field_and_what_to_do() -> None:
    wanted = subject({"buckets": [{"name": "media"}, {"name": "films"}]})
    finding = of_buckets(wanted, ["shop-media"], {"shop-films": HOLDER})
    assert (finding.ok, finding.reason) == (False, "ResourceConflict")
    assert finding.message == (
        "buckets[1].name: bucket shop-films belongs to resource suuupra/holder: choose another name"
    )


def test_o12_a_lost_route_is_told_with_its_field_and_what_to_do() -> None:
    wanted = subject({"routes": [{"path": "/v1/x"}, {"path": "/v1/y", "methods": ["GET"]}]})
    run = Round({}, wanted, SuuupraServiceStatus(), settled=False)
    run.lost = {"route": {"GET /v1/y (prefix)": HOLDER}}
    finding = routes(2, run.refused_routes())
    assert (finding.ok, finding.reason) == (False, "RouteConflict")
    assert finding.message == (
        "routes[1]: GET /v1/y (prefix) belongs to resource suuupra/holder: "
        "choose another path, or other methods"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Conflict("belongs to resource suuupra/holder"), "ResourceConflict"),
        (Permanent("Kafka refused topics-created: replication factor"), "Refused"),
        (ServerMissing("Valkey", "the platform names no Valkey"), "ValkeyMissing"),
    ],
)
async def test_o4_only_what_a_rival_has_is_called_a_conflict(error: OperatorError, reason: str) -> None:
    run = Round({}, subject({}), SuuupraServiceStatus(), settled=False)

    async def refused() -> None:
        raise error

    await run.attempt("DatabaseReady", refused())
    [finding] = run.findings
    assert (finding.ok, finding.reason, finding.message) == (False, reason, str(error))
    assert run.again, "and it is looked at again"


def test_a_rail_says_conflict_only_where_a_rival_is_among_those_who_refuse() -> None:
    forbidden, rival = ApiError(403, "Forbidden", "exceeded quota"), Conflict("was not made by a rail")
    assert _reason({"bank-asha": forbidden}) == "Forbidden"
    assert _reason({"bank-asha": forbidden, "bank-banyan": rival}) == "ResourceConflict"
