"""The rules of access as values: what is locked, what a seal opens, whose progress is further."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.content.domain import seals
from services.content.domain.progress import Progress, further
from services.content.domain.publishing import Document, unlocked

NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
KEY = bytes(32)
COURSE, MEDIA, LESSON = (UUID(int=number) for number in (1, 2, 3))


def test_a_title_that_reads_like_the_mark_of_a_locked_lesson_is_left_alone() -> None:
    text = '{"title":"\\"locked\\":true","locked":true,"modules":[{"locked":true}]}'
    shown = unlocked(Document(text, "e", COURSE))
    assert shown.json == '{"title":"\\"locked\\":true","locked":false,"modules":[{"locked":false}]}'
    assert (shown.etag, shown.entitles) == ("e-entitled", COURSE)


def test_a_seal_opens_its_file_of_its_course_until_its_end() -> None:
    end = seals.until(NOW)
    seal = seals.seal(KEY, COURSE, MEDIA, end)
    assert seals.opens(seal, KEY, COURSE, MEDIA, NOW)
    assert seals.opens(seal, KEY, COURSE, MEDIA, datetime.fromtimestamp(end - 1, UTC))
    assert not seals.opens(seal, KEY, COURSE, MEDIA, datetime.fromtimestamp(end, UTC))
    assert not seals.opens(seal, KEY, COURSE, LESSON, NOW)
    assert not seals.opens(seal, KEY, LESSON, MEDIA, NOW)
    assert not seals.opens(seal, b"x" * 32, COURSE, MEDIA, NOW)
    longer = f"{end + 3600}.{seal.partition('.')[2]}"
    assert not seals.opens(longer, KEY, COURSE, MEDIA, NOW)


@given(st.text(max_size=60))
def test_no_text_is_a_seal_by_accident_or_breaks_its_check(text: str) -> None:
    assert not seals.opens(text, KEY, COURSE, MEDIA, NOW)


def test_a_seal_lasts_for_hours_and_is_the_same_for_all_of_an_hour() -> None:
    hour = NOW.replace(minute=0)
    ends = {seals.until(hour + timedelta(minutes=minutes)) for minutes in range(60)}
    assert ends == {int((hour + timedelta(hours=7)).timestamp())}


@pytest.mark.parametrize(
    ("page", "count"),
    [
        (f'{{"html":"<img src=\\"/v1/media/{MEDIA}/a.png\\">"}}', 1),
        (
            f'{{"html":"<a href=\\"/v1/media/{MEDIA}/a.png\\">a</a>","media":{{"url":"/v1/media/{MEDIA}/b"}}}}',
            2,
        ),
        (f'{{"html":"<p>/v1/media/{MEDIA}/a.png</p>"}}', 0),
        ('{"html":"<img src=\\"/v1/media/none/a.png\\">"}', 0),
        (f'{{"html":"<a href=\\"https://elsewhere/v1/media/{MEDIA}/a\\">a</a>"}}', 0),
    ],
)
def test_addresses_of_files_in_a_page_are_sealed_and_nothing_else(page: str, count: int) -> None:
    sealed = seals.with_seals(page, KEY, COURSE, seals.until(NOW))
    assert sealed.count("?seal=") == count
    assert count or sealed == page


def progress() -> st.SearchStrategy[Progress]:
    times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 2, 1), timezones=st.just(UTC))
    return st.builds(
        Progress,
        lesson_id=st.just(LESSON),
        course_id=st.just(COURSE),
        position=st.integers(0, 1000),
        started_at=times,
        changed_at=times,
        completed_at=st.none() | times,
    )


@given(progress(), progress())
def test_two_records_of_one_person_are_one_whichever_way_round(mine: Progress, theirs: Progress) -> None:
    merged = further(mine, theirs)
    assert merged == further(theirs, mine)
    assert further(merged, merged) == merged
    assert further(merged, theirs).state == merged.state
    assert (merged.state == "completed") == ("completed" in (mine.state, theirs.state))
    assert merged.started_at == min(mine.started_at, theirs.started_at)


def test_a_completed_lesson_keeps_the_time_of_its_first_completion() -> None:
    first = Progress(LESSON, COURSE, 900, NOW, NOW, NOW)
    later = NOW + timedelta(days=1)
    assert further(Progress(LESSON, COURSE, 5, later, later, later), first).completed_at == NOW
    assert further(Progress(LESSON, COURSE, 5, later, later), first).position == 900
