"""Outlines, where to go on, percentages, headings: decided without any I/O."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from services.content.contract import LessonProgress, ProgressState
from services.web.api.filters import duration, language, size, told
from services.web.domain.reading import Outline, headings, lesson_url, outline, percent
from services.web.tests.content_double import EPOCH, CourseDouble, an_id

COURSE = CourseDouble("c", "C", {"One": ["a", "b"], "Two": ["c", "d"]})


def seen(**states: ProgressState) -> Outline:
    """The outline after these lessons were touched, in this order."""
    progress = [
        LessonProgress(
            lesson_id=an_id("c", slug),
            course_id=COURSE.id,
            state=state,
            position=0,
            at=EPOCH + timedelta(minutes=i),
        )
        for i, (slug, state) in enumerate(states.items())
    ]
    return outline("c", COURSE.contents(), progress)


def resume(**states: ProgressState) -> str | None:
    lesson = seen(**states).resume
    return lesson.slug if lesson else None


def test_a_course_not_begun_starts_at_its_first_lesson() -> None:
    assert resume() == "a"
    assert not seen().begun


def test_reading_goes_on_at_the_lesson_opened_last() -> None:
    assert resume(a="completed", d="started", c="started") == "c"


def test_reading_goes_on_after_the_lesson_completed_last() -> None:
    assert resume(b="completed") == "c"


def test_reading_goes_back_to_what_was_skipped_when_the_end_is_reached() -> None:
    assert resume(b="completed", c="completed", d="completed") == "a"


def test_a_completed_course_has_nowhere_to_go_on() -> None:
    done = seen(a="completed", b="completed", c="completed", d="completed")
    assert (done.resume, done.percent) == (None, 100)


def test_the_module_of_the_next_lesson_is_the_current_one() -> None:
    assert [module.current for module in seen(b="completed").modules] == [False, True]


def test_progress_in_lessons_that_are_gone_counts_for_nothing() -> None:
    assert seen(removed="completed").completed == 0


def test_neighbours_cross_modules_and_end_at_the_ends() -> None:
    contents = seen()
    before, after = contents.neighbours(an_id("c", "b"))
    assert before is not None
    assert after is not None
    assert (before.slug, after.slug) == ("a", "c")
    assert contents.neighbours(an_id("c", "a"))[0] is None
    assert contents.neighbours(an_id("c", "d"))[1] is None
    assert contents.neighbours(an_id("c", "unknown")) == (None, None)


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(0, 0, 0), (1, 3, 33), (2, 3, 66), (199, 200, 99), (7, 7, 100)]
)
def test_a_hundred_percent_means_all(part: int, whole: int, expected: int) -> None:
    assert percent(part, whole) == expected


def test_headings_take_their_own_anchor_or_their_sections_and_lose_the_link_sign() -> None:
    html = '<section id="x"><h2>A  <code>b</code><a class="headerlink" href="#x">¶</a></h2></section><h2>None</h2>'
    assert [(h.anchor, h.text) for h in headings(html)] == [("x", "A b")]


def test_headings_are_those_of_the_uppermost_level_there_is() -> None:
    assert [h.text for h in headings('<h3 id="a">A</h3><h4 id="b">B</h4><h3 id="c">C</h3>')] == ["A", "C"]
    assert headings("<p>No heading.</p>") == ()


def test_addresses_quote_what_a_slug_should_not_hold() -> None:
    assert lesson_url("a/b", "c?d") == "/courses/a%2Fb/lessons/c%3Fd"


def test_durations_sizes_and_languages_are_written_for_people() -> None:
    assert [duration(minutes) for minutes in (0, 45, 60, 135)] == ["1 min", "45 min", "1 h", "2 h 15 min"]
    assert [size(count) for count in (1, 1023, 1024, 3_565_158)] == [
        "1 bytes",
        "1,023 bytes",
        "1.0 KiB",
        "3.4 MiB",
    ]
    assert [language(tag) for tag in ("en-GB", "hi", "tlh")] == ["English", "हिन्दी", "tlh"]


def test_points_in_time_in_the_words_of_others_are_written_as_on_pages_and_all_else_stays() -> None:
    shown = {"zone": ZoneInfo("Asia/Kolkata")}
    assert told(shown, "The coupon was valid until 2026-11-01T00:00:00+00:00.") == (
        'The coupon was valid until <time datetime="2026-11-01T00:00:00+00:00">1 November 2026, 05:30 IST</time>.'
    )
    assert "5 March 2026, 23:30 IST" in told(shown, "<b> from 2026-03-05T18:00:00.123456Z on")
    for words in ("Nothing <b>here</b>", "SO-2026-11-01", "on 2026-13-41T00:00:00Z", ""):
        assert told(shown, words) == words.replace("<", "&lt;").replace(">", "&gt;")
