"""What callers send is storable: every text field of a request model refuses what PostgreSQL cannot hold."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from .tree import services

CONTRACTS = [f"services.{folder.name}.contract" for folder in services()]


def text_fields(contract: ModuleType) -> Iterator[tuple[str, Any]]:
    """Each field of a request model (one that forbids unknown fields) that takes a plain text, with its type."""
    for name, model in vars(contract).items():
        if (
            isinstance(model, type)
            and issubclass(model, BaseModel)
            and model.model_config.get("extra") == "forbid"
        ):
            for field, info in model.model_fields.items():
                if str in (info.annotation, *get_args(info.annotation)) or "str" in repr(info.annotation):
                    whole = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
                    yield f"{name}.{field}", whole


def takes(kind: Any, value: str) -> bool:
    for shape in (value, [value]):
        try:
            TypeAdapter(kind).validate_python(shape)
        except ValidationError:
            continue
        return True
    return False


@pytest.mark.parametrize("contract", CONTRACTS)
def test_no_field_of_a_request_takes_text_that_no_column_holds(contract: str) -> None:
    taken = [
        name
        for name, kind in text_fields(importlib.import_module(contract))
        if takes(kind, "a\x00b") or takes(kind, "a\ud800")
    ]
    assert taken == [], "use the types of suuupra.fields"
