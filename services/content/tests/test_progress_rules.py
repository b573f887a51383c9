"""Progress only moves forward, whatever order reports come in."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.content.domain.progress import State, advance, begin

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
states: st.SearchStrategy[State] = st.sampled_from(["started", "completed"])
reports = st.lists(st.tuples(states, st.integers(0, 1000)), max_size=12)


@given(reports)
def test_a_lesson_is_newly_completed_at_most_once(given_reports: list[tuple[State, int]]) -> None:
    progress, completions = begin(uuid4(), uuid4(), NOW), 0
    for number, (state, position) in enumerate(given_reports):
        advanced = advance(progress, state, position, NOW + timedelta(seconds=number))
        completions += advanced.newly_completed
        progress = advanced.progress
    assert completions == any(state == "completed" for state, _ in given_reports)
    assert progress.state == ("completed" if completions else "started")


def test_a_late_started_changes_nothing() -> None:
    done = advance(begin(uuid4(), uuid4(), NOW), "completed", 1000, NOW).progress
    late = advance(done, "started", 20, NOW + timedelta(minutes=1))
    assert late.progress == done
    assert not late.newly_completed


def test_the_position_follows_the_reader() -> None:
    there = advance(begin(uuid4(), uuid4(), NOW), "started", 400, NOW).progress
    back = advance(there, "started", 100, NOW + timedelta(minutes=1)).progress
    assert (back.position, back.changed_at) == (100, NOW + timedelta(minutes=1))
