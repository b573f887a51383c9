"""Slugs read well in every script, and two texts never share one by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.content.domain.slugs import MAX_LENGTH, free_slug, is_slug, slugify


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("4.1. if Statements", "4-1-if-statements"),
        ("  Hello,   World! ", "hello-world"),
        ("हिन्दी पाठ", "हिन्दी-पाठ"),
        ("Ｆｕｌｌ ＷＩＤＴＨ", "full-width"),
        ("Straße", "strasse"),
        ("…", "untitled"),
        ("", "untitled"),
    ],
)
def test_a_slug_keeps_what_people_read(text: str, slug: str) -> None:
    assert slugify(text) == slug


@given(st.text())
def test_a_slug_of_a_slug_is_itself(text: str) -> None:
    slug = slugify(text)
    assert slugify(slug) == slug
    assert 1 <= len(slug) <= MAX_LENGTH


@given(st.text(), st.integers(0, 30))
def test_the_next_free_slug_is_free(text: str, occupied: int) -> None:
    taken: set[str] = set()
    for _ in range(occupied + 1):
        slug = free_slug(slugify(text), taken)
        assert slug not in taken
        assert len(slug) <= MAX_LENGTH + len("-course")
        taken.add(slug)


def test_an_id_is_no_slug() -> None:
    assert not is_slug("0198c5a4-7d3e-7c1a-9c55-0242ac120002")
    assert not is_slug("0198c5a47d3e7c1a9c550242ac120002")
    assert is_slug(free_slug("0198c5a4-7d3e-7c1a-9c55-0242ac120002", set()))
