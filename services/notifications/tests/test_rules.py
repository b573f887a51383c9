"""The rules as values: who may switch what off, which language, what is one fact, when a mail is tried again."""

import re
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.notifications.contract import Kind
from services.notifications.domain import delivery, facts, locales
from services.notifications.domain.kinds import CATEGORY, CHANNELS, choices, may_choose, why_not
from services.notifications.domain.links import link_of
from services.notifications.tests.happenings import TITLE, Happening, Learner
from services.notifications.usecases.letters import FOLDER, CannotWrite, Letters, Told

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LETTERS = Letters("https://learn.example", ZoneInfo("Asia/Kolkata"))
LEARNER = Learner(id=UUID(int=1), order_id=UUID(int=2), payment_id=UUID(int=3), course_id=UUID(int=4))
TOLD = [it for it in LEARNER.everything() if type(it.event) in facts.TOLD]


def told(happening: Happening, *, name: str | None = "Asha Rao", course: str | None = TITLE) -> Told:
    fact = facts.of(happening.event, happening.meta())
    return Told(fact.kind, fact.data, name, course, link_of(fact.kind, fact.data, "the-python-tutorial"))


def test_a_receipt_cannot_be_switched_off_and_everything_else_can() -> None:
    off = {(category, channel): False for category in set(CATEGORY.values()) for channel in CHANNELS}
    kinds = get_args(Kind)
    still = {(kind, channel) for kind in kinds for channel in CHANNELS if not why_not(kind, channel, off)}
    assert still == {("order_paid", "email"), ("order_refunded", "email")}
    assert not may_choose("receipts", "email", False)
    assert may_choose("receipts", "inbox", False)
    assert may_choose("receipts", "email", True)


def test_what_a_page_says_already_is_not_mailed_unless_it_is_asked_for() -> None:
    assert why_not("payment_failed", "email", {}) == "off"
    assert why_not("payment_failed", "email", {("payments", "email"): False}) == "unwanted"
    assert why_not("payment_failed", "email", {("payments", "email"): True}) is None
    assert why_not("payment_failed", "inbox", {}) is None
    assert why_not("order_expired", "email", {("orders", "email"): False}) == "unwanted"
    assert {(it.category, it.channel) for it in choices({}) if it.required} == {("receipts", "email")}


@pytest.mark.parametrize(
    ("wanted", "locale"),
    [
        (("hi-IN",), "hi"),
        (("hi",), "hi"),
        (("HI_in",), "hi"),
        (("en-GB",), "en"),
        (("fr", "hi-IN"), "hi"),
        (("ta-IN",), "en"),
        ((None, "hi"), "hi"),
        ((None,), "en"),
        (("hindi",), "en"),
        (("",), "en"),
    ],
)
def test_letters_are_in_the_first_wanted_language_that_there_is(
    wanted: tuple[str | None, ...], locale: str
) -> None:
    assert locales.choose(*wanted) == locale


def test_amounts_times_and_rates_read_as_people_write_them() -> None:
    assert locales.amount(12_345_678, "INR", "en") == "₹1,23,456.78"
    assert locales.amount(500, "JPY", "en").endswith("500")
    assert locales.amount(1_234, "KWD", "en").endswith("1.234")
    assert locales.moment(NOW, ZoneInfo("Asia/Kolkata"), "en") == "1 January 2026, 05:30 IST"
    assert "जनवरी" in locales.moment(NOW, ZoneInfo("Asia/Kolkata"), "hi")
    assert [locales.percent(it) for it in (0, 50, 180, 125)] == ["0 %", "5 %", "18 %", "12.5 %"]


@pytest.mark.parametrize("happening", TOLD, ids=lambda it: it.event.type)
@pytest.mark.parametrize("locale", locales.LOCALES)
def test_every_letter_is_written_in_every_language(happening: Happening, locale: str) -> None:
    locale_ = locales.choose(locale)
    letter, (title, body) = LETTERS.mail(told(happening), locale_), LETTERS.line(told(happening), locale_)
    for text in (letter.subject, letter.text, letter.html, title, body):
        assert text.strip()
        assert not re.search(r"\{[{%]|Undefined|None\b", text), text
    assert "\n" not in letter.subject + title
    assert "Asha Rao" in letter.text
    assert "Asha Rao" in letter.html
    assert f'lang="{locale}"' in letter.html
    assert bool(re.search("[\u0900-\u097f]", letter.text)) == (locale == "hi")
    assert "https://learn.example/" in letter.text
    assert "\n\n\n" not in letter.text
    nobody = LETTERS.mail(told(happening, name=None, course=None), locale_)
    assert "Asha" not in nobody.text


def test_every_kind_has_its_four_files_in_every_language() -> None:
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    parts = ("subject.txt", "txt", "html", "inbox.txt")
    wanted = {
        f"{locale}/{kind}.{part}" for locale in locales.LOCALES for kind in get_args(Kind) for part in parts
    }
    assert wanted <= found
    assert all(name in wanted or name.rpartition("/")[2].startswith("_") for name in found)


@pytest.mark.parametrize("locale", locales.LOCALES)
def test_a_receipt_names_invoice_lines_and_gst(locale: str) -> None:
    letter = LETTERS.mail(told(LEARNER.paid()), locales.choose(locale))
    for text in (letter.text, letter.html):
        for part in (
            "INV/25-26/000007",
            LEARNER.number,
            TITLE,
            "₹449.10",
            "₹68.51",
            "GST",
            "18 %",
            "₹49.90",
            "999293",
        ):
            assert part in text, part
    assert "INV/25-26/000007" in letter.subject


def test_what_is_not_in_rupees_is_taxed_and_not_gst() -> None:
    paid = told(LEARNER.paid())
    letter = LETTERS.mail(Told(paid.kind, {**paid.data, "currency": "EUR"}, None, None, None), "en")
    assert "GST" not in letter.text
    assert "€449.10" in letter.text


def test_a_name_or_title_is_text_in_html_and_stays_on_its_line_in_a_subject() -> None:
    wicked = "<script>alert(1)</script>\r\nBcc: all@example.org"
    letter = LETTERS.mail(told(LEARNER.granted(), name=wicked, course=wicked), "en")
    assert "<script>" not in letter.html
    assert "&lt;script&gt;" in letter.html
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject


def test_facts_that_do_not_fit_a_template_are_a_fault_that_is_named() -> None:
    with pytest.raises(CannotWrite, match="en/order_paid"):
        LETTERS.mail(Told("order_paid", {"number": "1"}, None, None, None), "en")


@pytest.mark.parametrize("happening", TOLD, ids=lambda it: it.event.type)
def test_an_event_published_again_under_a_new_id_is_the_same_fact(happening: Happening) -> None:
    again = Happening(happening.event, happening.aggregate, happening.sequence)
    assert again.id != happening.id
    assert facts.of(again.event, again.meta()).id == facts.of(happening.event, happening.meta()).id


def test_different_things_are_different_facts() -> None:
    happenings = [
        *TOLD,
        LEARNER.payment_failed(attempt=2),
        LEARNER.granted(sequence=3),
        Learner(order_id=LEARNER.order_id, id=LEARNER.id, refund_id=UUID(int=9)).refunded(full=False),
    ]
    ids = {facts.of(it.event, it.meta()).id for it in happenings}
    assert len(ids) == len(happenings)


def test_pauses_grow_to_minutes_and_end_after_days() -> None:
    pauses = []
    for attempt in range(1, 15):
        again = delivery.after_outage(NOW, attempt, NOW, spread=1.0)
        assert isinstance(again, delivery.Again)
        pauses.append(again.at - NOW)
    assert pauses[0] == delivery.FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == delivery.LONGEST_PAUSE
    soon = delivery.after_outage(NOW, 5, NOW, spread=0.0)
    assert soon == delivery.Again(NOW + pauses[4] / 2)
    late = delivery.after_outage(NOW, 900, NOW + timedelta(days=3), spread=0.5)
    assert late == delivery.Never("expired")


def test_the_claim_of_a_sender_outlasts_its_servers_time_limit() -> None:
    assert timedelta(seconds=60) < delivery.CLAIM, "the longest smtp_timeout that settings allow"
