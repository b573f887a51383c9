"""Ira's course: it can be cut off anywhere while it is written, and readers get it as it lies in hack/world/course."""

from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser
from world.creator import UPI, Lesson, Unwritten, unwritten
from world.people import CREATOR

from services.commerce.usecases.forms import NewProduct
from services.content.contract import CourseFields, NewLesson, NewModule
from services.content.domain.courses import minutes_of
from services.content.domain.markup import AuthoredLinks, clean, prefixed, text_of
from services.identity.domain.accounts import SCOPES, Role

LESSONS = [lesson for module in UPI.modules for lesson in module.lessons]
CONTENTS = [(module.title, [lesson.title for lesson in module.lessons]) for module in UPI.modules]
READ_IN_MINUTES = 5
"""One lesson, between two other things."""


def one_step(draft: list[dict[str, Any]], left: Unwritten) -> None:
    """The API adds one module or one lesson, last."""
    if left.id is None:
        draft.append({"id": str(len(draft)), "title": left.module.title, "lessons": []})
    else:
        draft[int(left.id)]["lessons"].append({"title": left.lessons[0].title})


def test_a_course_that_was_cut_off_anywhere_is_written_to_its_end_and_in_its_order() -> None:
    draft: list[dict[str, Any]] = []
    steps = 0
    while left := unwritten(UPI, draft):  # whoever is cut off after a step looks again at what is there
        one_step(draft, left[0])
        steps += 1
    assert [(module["title"], [one["title"] for one in module["lessons"]]) for module in draft] == CONTENTS
    assert steps == len(UPI.modules) + len(LESSONS)


def test_what_the_course_says_of_itself_is_what_the_apis_take() -> None:
    about = CourseFields.model_validate(UPI.about)
    assert (about.access, about.preview_lessons) == ("entitled", 1)
    for module in UPI.modules:
        NewModule(title=module.title)
    product = NewProduct.model_validate({"title": about.title, "description": about.summary, **UPI.offer})
    assert product.tax_permille
    assert {"content:write", "commerce:write"} <= SCOPES[Role(CREATOR.role)]


def elements(html: str) -> list[tuple[str | None, dict[str, str | None]]]:
    """Every element with its attributes; what content gives listings left out, and anchors as content has them."""
    body = LexborHTMLParser(f"<body>{html}").body
    assert body is not None
    found = [(node.tag, dict(node.attributes)) for node in body.traverse()]
    for _, attributes in found:
        if anchor := attributes.get("id"):
            attributes["id"] = prefixed(anchor)
    return [(tag, {} if tag == "pre" else attributes) for tag, attributes in found]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_readers_get_a_lesson_as_it_was_written(lesson: Lesson) -> None:
    NewLesson.model_validate({"title": lesson.title, "body": {"kind": "article", "html": lesson.html}})
    shown = clean(lesson.html, AuthoredLinks())
    assert elements(shown) == elements(lesson.html)
    assert text_of(shown) == text_of(lesson.html)
    assert minutes_of(shown) <= READ_IN_MINUTES
