"""O4: of two resources that claim the same, who gets it: after an edit, within one second, after a restart, by adoption."""

from __future__ import annotations

from typing import Any

import pytest
from suuupra_operator.bus import Bus
from suuupra_operator.catalog import Catalog, Database
from suuupra_operator.claims import Claim
from suuupra_operator.databases import Databases
from suuupra_operator.deletion import own
from suuupra_operator.desired.topics import TopicState
from suuupra_operator.errors import Permanent
from suuupra_operator.primaries import Primaries
from suuupra_operator.provide.database import DatabaseProvider
from suuupra_operator.provide.topics import TopicProvider
from suuupra_operator.queue import Key, Queue
from suuupra_operator.status import Claims as MadeFor
from suuupra_operator.status import SuuupraServiceStatus
from suuupra_operator.writes import Gate

from .samples import subject
from .test_rail_reconcile import Free

X: dict[str, Any] = {"database": {"name": "x"}}
MADE: dict[str, Any] = {"claims": {"database": "x"}}
PUBLISHES: dict[str, Any] = {"events": {"publishes": [{"topic": "a.made"}]}}
PUBLISHED: dict[str, Any] = {"claims": {"topics": ["a.made", "a.made.dlt"]}}
ROUTE: dict[str, Any] = {"routes": [{"path": "/v1/x", "methods": ["GET"]}]}
SERVED: dict[str, Any] = {"routes": [{"path": "/v1/x", "methods": ["GET"], "accepted": True}]}
DATABASE, TOPIC, GET = Claim("database", "x"), Claim("topic", "a.made"), Claim("route", "GET /v1/x (prefix)")
SECOND = "2026-01-01T00:00:00Z"
CASES = [(X, MADE, DATABASE), (PUBLISHES, PUBLISHED, TOPIC), (ROUTE, SERVED, GET)]


def key(name: str, namespace: str = "suuupra") -> Key:
    return Key("SuuupraService", namespace, name)


class World:
    """Resources as the API server delivers them. `a` is the oldest, `c` the youngest, unless a test says otherwise."""

    def __init__(self, served: frozenset[str] | None = None) -> None:
        self.queue = Queue()
        self.primaries = Primaries(self.queue, served)
        self.claims = self.primaries.claims
        self._version = 0

    def see(
        self,
        name: str,
        spec: dict[str, Any],
        status: dict[str, Any] | None = None,
        *,
        adopt: str = "",
        generation: int = 1,
        **meta: Any,
    ) -> Key:
        self._version += 1
        day = "abc".index(name) + 1
        head = {"name": name, "namespace": "suuupra", "uid": f"uid-{name}", "generation": generation}
        head |= {"creationTimestamp": f"2026-01-0{day}T00:00:00Z", "resourceVersion": str(self._version)}
        head |= {"annotations": {"suuupra.io/adopt": adopt} if adopt else {}} | meta
        self.primaries.put({"kind": "SuuupraService", "metadata": head, "spec": spec, "status": status or {}})
        return key(name, str(head["namespace"]))

    def made_for(self, name: str, status: dict[str, Any]) -> MadeFor:
        """What a deletion may touch of what the status claims."""
        return own(key(name), MadeFor.model_validate(status["claims"]), self.claims)


def test_o4_among_those_that_have_nothing_the_older_wins_and_the_next_inherits() -> None:
    world = World()
    younger, older = world.see("b", PUBLISHES), world.see("a", PUBLISHES)
    assert younger in world.queue._queued
    assert {claim.name for claim in world.claims.lost(younger)} == {"a.made", "a.made.dlt"}
    assert world.claims.drop(older) == {younger}
    assert world.claims.lost(younger) == {}


@pytest.mark.parametrize(("spec", "status", "claim"), CASES)
def test_o4_a_late_edit_of_an_older_resource_takes_nothing_from_the_one_that_has_it(
    spec: dict[str, Any], status: dict[str, Any], claim: Claim
) -> None:
    world = World()
    older, holder = world.see("a", {}), world.see("b", spec, status)
    world.see("a", spec, generation=2)
    assert world.claims.lost(older)[claim] == holder
    assert world.claims.lost(holder) == {}


@pytest.mark.parametrize(("spec", "status", "claim"), CASES)
def test_o4_a_restarted_operator_grants_what_statuses_say_in_whatever_order_it_reads_them(
    spec: dict[str, Any], status: dict[str, Any], claim: Claim
) -> None:
    for order in (("a", "b"), ("b", "a")):
        world = World()
        for name in order:
            world.see(name, spec, status if name == "b" else None)
        assert world.claims.holder(claim) == key("b")


def test_o4_within_one_second_the_one_that_was_looked_at_first_has_it() -> None:
    world = World()
    first = world.see("b", X, creationTimestamp=SECOND)
    assert world.claims.take(first) == {}
    later = world.see("a", X, creationTimestamp=SECOND)
    assert world.claims.take(later) == {DATABASE: first}
    world.see("b", X, MADE, creationTimestamp=SECOND)
    assert world.claims.lost(later) == {DATABASE: first}


def test_o4_within_one_second_the_name_decides_while_nobody_was_looked_at() -> None:
    world = World()
    later, first = world.see("b", X, creationTimestamp=SECOND), world.see("a", X, creationTimestamp=SECOND)
    assert world.claims.take(later) == {DATABASE: first}
    assert world.claims.take(first) == {}


def test_o4_one_that_gave_a_claim_up_no_longer_stands_in_the_way() -> None:
    world = World()
    holder, other = world.see("a", X, MADE), world.see("b", X)
    assert world.claims.holder(DATABASE) == holder
    world.see("a", {}, MADE, generation=2)
    assert world.claims.holder(DATABASE) == other
    assert other in world.queue._queued


def test_o4_a_spec_that_a_new_rule_made_unreadable_gave_nothing_up_and_asks_for_nothing_more() -> None:
    world = World()
    holder = world.see("b", {"database": {"name": "Not a name"}} | PUBLISHES, MADE)
    other = world.see("a", X | PUBLISHES)
    assert world.claims.lost(other) == {DATABASE: holder}


@pytest.mark.parametrize(("holder", "adopter"), [("a", "b"), ("b", "a")])
def test_o4_one_that_adopts_by_name_takes_over_whether_it_is_older_or_younger(
    holder: str, adopter: str
) -> None:
    world = World()
    world.see(holder, X, MADE)
    world.see(adopter, X, adopt="*")
    assert world.claims.holder(DATABASE) == key(holder), "all that is nobody's, and no more"
    world.see(adopter, X, adopt="x")
    assert world.claims.lost(key(holder)) == {DATABASE: key(adopter)}
    assert key(holder) in world.queue._queued


def test_o4_two_that_adopt_the_same_do_not_take_it_from_each_other_in_turns() -> None:
    world = World()
    world.see("a", X, adopt="x")
    world.see("b", X, MADE, adopt="x")
    assert world.claims.holder(DATABASE) == key("b")
    world.see("b", X, MADE)
    assert world.claims.holder(DATABASE) == key("a")


def test_o4_what_was_adopted_stays_when_the_annotation_goes() -> None:
    world = World()
    world.see("a", X, MADE)
    world.see("b", X, MADE, adopt="x")
    world.claims.take(key("a"))
    world.see("a", X)  # which has read in the note that it is another's
    world.see("b", X, MADE)
    assert world.claims.lost(key("a")) == {DATABASE: key("b")}


# --- what a deletion may touch


def test_o8_what_another_took_over_is_left_alone_by_the_deletion_of_the_one_that_had_it() -> None:
    world = World()
    world.see("b", X | PUBLISHES, MADE | PUBLISHED)
    had = {"claims": MADE["claims"] | PUBLISHED["claims"] | {"buckets": ["b-media"]}}
    assert world.made_for("b", had) == MadeFor.model_validate(had["claims"])
    world.see("a", X | PUBLISHES, adopt="x,a.made")
    left = world.made_for("b", had)
    assert (left.database, left.topics, left.buckets) == ("", ["a.made.dlt"], ["b-media"])


def test_o8_a_claim_that_was_given_up_and_is_another_s_by_now_is_left_alone() -> None:
    world = World()
    world.see("b", {}, PUBLISHED)
    assert world.made_for("b", PUBLISHED).topics == ["a.made", "a.made.dlt"]
    world.see("c", PUBLISHES)
    assert world.made_for("b", PUBLISHED).topics == []


def test_o8_what_another_has_too_by_its_status_is_left_alone() -> None:
    world = World()
    world.see("a", PUBLISHES, PUBLISHED)
    world.see("b", PUBLISHES, PUBLISHED)
    assert world.claims.holder(TOPIC) == key("a")
    assert world.made_for("a", PUBLISHED).topics == []


def test_o4_a_topic_that_moved_to_another_resource_is_not_deleted_by_the_one_that_gave_it_up() -> None:
    bus = Bus(Gate(Free()))
    bus.topics = {"a.made": TopicState(1, {}), "b.made": TopicState(1, {})}
    left = subject({"events": {"reclaim": "Delete", "publishes": [{"topic": "c.made"}]}})
    status = SuuupraServiceStatus(claims=MadeFor(topics=["a.made", "b.made"]))
    plan = TopicProvider(bus).plan(left, status, {}, settled=False, moved={"a.made"})
    assert plan.delete == ["b.made"]
    assert "a.made" not in plan.claims


# --- what the note of a database says


def _provider(comment: str) -> DatabaseProvider:
    databases = Databases(Gate(Free()))
    databases.catalog = Catalog({}, {"x": Database(1, "x_owner", {}, comment)})
    return DatabaseProvider(databases, None)  # type: ignore[arg-type]


OURS, THEIRS = (f'{{"suuupra.io": {{"resource": "suuupra/{name}"}}}}' for name in ("shop", "winner"))


async def test_o4_a_status_that_claims_a_database_is_out_of_date_where_the_note_names_another() -> None:
    claiming = SuuupraServiceStatus(claims=MadeFor(database="x"))
    for comment in (OURS, ""):  # without one it was killed between making the database and noting it
        assert await _provider(comment).plan(subject(X), claiming) == "x"
        assert not _provider(comment).forfeited(subject(X), "x")
    with pytest.raises(Permanent, match="belongs to suuupra/winner: make this resource anew with another"):
        await _provider(THEIRS).plan(subject(X), claiming)
    assert _provider(THEIRS).forfeited(subject(X), "x")
    adopting = subject(X, annotations={"suuupra.io/adopt": "y, x"})
    assert await _provider(THEIRS).plan(adopting, claiming) == "x"


# --- who may claim at all


def test_o4_a_resource_in_a_namespace_that_is_not_served_holds_nothing() -> None:
    world = World(frozenset({"suuupra"}))
    world.see("a", X | PUBLISHES | ROUTE, MADE, namespace="elsewhere")
    served = world.see("b", X | PUBLISHES | ROUTE)
    assert world.claims.lost(served) == {}
    assert world.claims.claimed(key("a", "elsewhere")) == frozenset()


def test_o4_a_resource_made_again_while_the_watch_was_away_claims_what_it_says_now() -> None:
    world = World()
    world.see("a", {}, MADE)
    again = world.see("a", X, uid="uid-again", creationTimestamp="2026-02-01T00:00:00Z")
    assert world.claims.holder(DATABASE) == again
    world.see("b", X, MADE)
    assert world.claims.holder(DATABASE) == key("b"), "it has nothing of what its namesake had"
