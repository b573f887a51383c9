"""An event may change only so that everybody can still read it."""

from pathlib import Path
from typing import ClassVar, Literal

import pytest

from suuupra.events import Event
from suuupra.schemas import breaking_changes, schema_of
from suuupra.testing.contracts import ACCEPT, check_contract


class Learner(Event):
    id: str


class Before(Event):
    type: ClassVar[str] = "lesson.seen"
    title: str
    kind: Literal["article", "video"]
    learner: Learner
    minutes: int | None = None


def changes(after: type[Event]) -> list[str]:
    return breaking_changes(schema_of(Before), schema_of(after))


def test_an_added_optional_field_breaks_nobody() -> None:
    class After(Before):
        language: str | None = None

    assert changes(After) == []


def test_a_removed_field_breaks_old_consumers() -> None:
    class After(Event):
        kind: Literal["article", "video"]
        learner: Learner
        minutes: int | None = None

    assert changes(After) == ["data.title was removed"]


def test_an_added_required_field_breaks_new_consumers_of_old_messages() -> None:
    class After(Before):
        language: str

    assert changes(After) == ["data.language is now required, and old messages do not have it"]


def test_a_changed_type_is_named_with_both_types() -> None:
    class After(Before):
        title: int  # type: ignore[assignment]

    assert changes(After) == ["data.title was type string and is now type integer"]


def test_a_new_value_of_an_enumeration_breaks_old_consumers() -> None:
    class After(Before):
        kind: Literal["article", "video", "file"]  # type: ignore[assignment]

    assert changes(After) == ["data.kind may now be 'file', which old consumers do not know"]


def test_a_change_inside_a_nested_model_is_found() -> None:
    class Person(Event):
        id: int

    class After(Before):
        learner: Person  # type: ignore[assignment]

    assert changes(After) == ["data.learner.id was type string and is now type integer"]


def test_the_contract_check_stores_compares_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class After(Before):
        title: int  # type: ignore[assignment]

    with pytest.raises(AssertionError, match=r"lesson\.seen\.v1\.json is not stored"):
        check_contract([Before], tmp_path)
    monkeypatch.setenv(ACCEPT, "1")
    check_contract([Before], tmp_path)
    with pytest.raises(AssertionError, match=r"data\.title was type string.*Make a new class with version 2"):
        check_contract([After], tmp_path)
    monkeypatch.delenv(ACCEPT)
    check_contract([Before], tmp_path)
