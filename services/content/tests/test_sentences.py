"""What a document says of itself is shortened between words, and between sentences where it can be."""

import pytest

from services.content.domain.sentences import first_sentence, shortened

TEXT = "Python is easy. It has classes! Why not? Learn more."


def test_what_fits_stays_as_it_is() -> None:
    assert shortened(TEXT, len(TEXT)) == TEXT


@pytest.mark.parametrize("most", range(30, len(TEXT)))
def test_whole_sentences_are_kept_while_they_fill_half(most: int) -> None:
    kept = shortened(TEXT, most)
    assert len(kept) <= most
    assert TEXT.startswith(kept)
    assert kept[-1] in ".!?"


@pytest.mark.parametrize("most", range(12, 40))
def test_a_long_sentence_is_cut_between_words(most: int) -> None:
    text = "Those who want to learn more, read on and on without an end"
    kept = shortened(text, most)
    assert len(kept) <= most
    assert kept.endswith("…")
    assert set(kept[:-1].replace(",", "").split()) <= set(text.replace(",", "").split())


def test_one_endless_word_is_cut_all_the_same() -> None:
    assert shortened("a" * 50, 10) == "a" * 9 + "…"


def test_a_version_number_is_no_end_of_a_sentence() -> None:
    assert first_sentence("Python 3.11 is here. More follows.", 300) == "Python 3.11 is here."


def test_a_first_sentence_is_one_line() -> None:
    assert first_sentence("Python\nis  here.\nMore.", 300) == "Python is here."
