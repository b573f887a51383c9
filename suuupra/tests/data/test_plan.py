"""Whatever order events come in, the plan keeps each behind those it follows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suuupra.events import Message, Meta
from suuupra.inbox_plan import Baseline, Delivery, Joined, advanced, is_due, plan
from suuupra.tests.data.ledger import Closed, Counted

TYPES = (Counted.type, Closed.type)


def delivery(aggregate: str, sequence: int, type_: str, after: dict[str, int]) -> Delivery:
    meta = Meta(
        id=UUID(int=sequence),
        type=type_,
        version=1,
        source="/services/other",
        subject=aggregate,
        sequence=sequence,
        after=after,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        traceparent=None,
        topic=type_,
        partition=0,
        offset=0,
    )
    return Delivery(meta, Counted(number=sequence), Message(type_, 0, 0, None, None, ()))


def history(aggregate: str, types: Sequence[str]) -> list[Delivery]:
    """The events of an aggregate as its outbox numbers them."""
    found, last = [], dict[str, int]()
    for sequence, type_ in enumerate(types, start=1):
        found.append(delivery(aggregate, sequence, type_, dict(last)))
        last[type_] = sequence
    return found


histories = st.lists(st.sampled_from(TYPES), max_size=6).map(lambda types: history("a", types))


@given(st.data(), histories)
def test_a_whole_history_is_due_in_order_however_it_is_shuffled(
    data: st.DataObject, events: list[Delivery]
) -> None:
    shuffled = data.draw(st.permutations(events))
    planned = plan(shuffled, {}, TYPES)
    assert [one.meta.sequence for one in planned.due] == [one.meta.sequence for one in events]
    assert planned.early == []


@given(st.data(), histories, st.sets(st.sampled_from(TYPES)))
def test_nothing_is_due_before_what_it_follows_among_the_consumed_types(
    data: st.DataObject, events: list[Delivery], types: set[str]
) -> None:
    consumed = [one for one in events if one.meta.type in types]
    delivered = data.draw(st.lists(st.sampled_from(consumed), unique_by=id)) if consumed else []
    planned = plan(delivered, {}, types)
    progress: dict[str, int] = {}
    for one in planned.due:
        assert is_due(one.meta, progress, types)
        progress = advanced(progress, one.meta.type, one.meta.sequence)
    assert {id(one) for one in [*planned.due, *planned.early]} == {id(one) for one in delivered}
    assert planned.progress.get(("/services/other", "a"), {}) == progress


def test_aggregates_do_not_wait_for_each_other() -> None:
    first, second = history("a", [Counted.type] * 2)
    (other,) = history("b", [Counted.type])
    planned = plan([second, other], {}, TYPES)
    assert [one.meta.subject for one in planned.due] == ["b"]
    assert planned.early == [second]
    assert plan([second], {first.aggregate: {Counted.type: 1}}, TYPES).due == [second]


def test_a_late_event_does_not_set_progress_back() -> None:
    progress = advanced({}, Counted.type, 3)
    assert advanced(progress, Counted.type, 1) == {Counted.type: 3}


JOINED = datetime(2026, 1, 1, tzinfo=UTC)


def joined(topic: str, first_offset: int, *, time: datetime | None = JOINED) -> Joined:
    """A topic of one partition, as the group found it."""
    return Joined(topic, 0, 1, first_offset, time)


def at(one: Delivery, time: datetime) -> Delivery:
    return replace(one, meta=replace(one.meta, time=time))


def test_what_retention_removed_from_its_own_topic_is_not_waited_for() -> None:
    _, second, third = history("a", [Counted.type] * 3)
    baseline = Baseline([joined(Counted.type, 7)])
    assert plan([second, third], {}, TYPES, baseline).due == [second, third]
    assert plan([second], {}, TYPES, Baseline([joined(Counted.type, 0)])).early == [second]


def test_an_aggregate_of_which_events_wait_is_not_hurried_by_a_trimmed_topic() -> None:
    closed, second, third = history("a", [Closed.type, Counted.type, Counted.type])
    third = at(third, JOINED + timedelta(days=1))
    second = at(second, JOINED + timedelta(days=1))
    baseline = Baseline([joined(Counted.type, 7), joined(Closed.type, 0, time=None)])
    assert plan([second, third], {}, TYPES, baseline).early == [second, third]
    assert plan([third], {}, TYPES, baseline, waiting={third.aggregate}).early == [third]
    assert plan([closed, third, second], {}, TYPES, baseline).due == [closed, second, third]


@pytest.mark.parametrize(("days", "due"), [(-1, True), (0, False), (1, False)])
def test_what_is_older_than_all_that_was_left_of_another_topic_is_not_waited_for(
    days: int, due: bool
) -> None:
    _, second = history("a", [Closed.type, Counted.type])
    late = at(second, JOINED + timedelta(days=days))
    baseline = Baseline([joined(Closed.type, 7)])
    planned = plan([late], {}, TYPES, baseline)
    assert (planned.due == [late]) is due


def test_what_was_had_once_is_waited_for_as_ever() -> None:
    _, _, third = history("a", [Closed.type, Closed.type, Counted.type])
    early = at(third, JOINED - timedelta(days=1))
    baseline = Baseline([joined(Closed.type, 7)])
    assert plan([early], {early.aggregate: {Closed.type: 1}}, TYPES, baseline).early == [early]


def test_a_topic_is_caught_up_when_each_of_its_partitions_is() -> None:
    rows = [Joined("t", 0, 2, 7, JOINED, JOINED), Joined("t", 1, 2, 0, None, JOINED + timedelta(hours=1))]
    assert Baseline(rows).caught_up() == {"t": JOINED}
    assert Baseline(rows[:1]).caught_up() == {}
    assert Baseline([rows[0], replace(rows[1], caught_up_at=None)]).caught_up() == {}
