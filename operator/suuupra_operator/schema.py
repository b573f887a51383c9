"""Pieces shared by every resource's model: base class, quantities, durations, CEL rules.

Kubernetes accepts a *structural* subset of OpenAPI v3, so the types here say what the API server may enforce
(patterns, bounds, ``x-kubernetes-*`` extensions) and Pydantic enforces the same in the operator.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DURATION = r"^[1-9][0-9]{0,6}(ms|s|m|h|d)$"
TIMEOUT = r"^(0s|[1-9][0-9]{0,6}(ms|s|m|h))$"
LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
TOPIC = r"^[a-z][a-z0-9]*([.-][a-z0-9]+)*$"
IDENTIFIER = r"^[a-z][a-z0-9_]*$"
IMAGE = r"^[a-z0-9]+([._:/-][a-zA-Z0-9_]+)*(@sha256:[0-9a-f]{64})?$"
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
SCOPE = r"^[a-z][a-z0-9-]*(:[a-z][a-z0-9-]*)*$"

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY_FACTORS = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}

type_key = "x-kubernetes-list-type"


class Model(BaseModel):
    """Base of everything in a spec or status: camelCase outside, snake_case inside, frozen, nothing unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    def manifest(self) -> dict[str, Any]:
        """The model as it appears in a manifest: camelCase keys, absent instead of null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def cel(rule: str, message: str, **more: Any) -> dict[str, Any]:
    """One ``x-kubernetes-validations`` entry."""
    return {"rule": rule, "message": message, **more}


def rules(*entries: dict[str, Any]) -> dict[str, Any]:
    """Schema extension that carries CEL rules, for ``json_schema_extra``."""
    return {"x-kubernetes-validations": list(entries)}


def list_map(*keys: str) -> dict[str, Any]:
    """Schema extension of a list whose items are identified by ``keys``, so that CEL can compare old and new."""
    return {type_key: "map", "x-kubernetes-list-map-keys": list(keys)}


SET = {type_key: "set"}

Duration = Annotated[str, Field(pattern=DURATION, max_length=10)]
Label = Annotated[str, Field(pattern=LABEL, max_length=40)]
TopicName = Annotated[str, Field(pattern=TOPIC, max_length=200)]
Identifier = Annotated[str, Field(pattern=IDENTIFIER, max_length=48)]
Scope = Annotated[str, Field(pattern=SCOPE, max_length=64)]
Quantity = Annotated[
    str | int,
    Field(union_mode="left_to_right"),
    Field(json_schema_extra={"x-kubernetes-int-or-string": True, "pattern": QUANTITY}),
]


def seconds(duration: str) -> float:
    """Length of ``duration`` (``300ms``, ``15s``, ``7d``) in seconds."""
    found = re.fullmatch(r"([0-9]+)(ms|s|m|h|d)", duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration: write a number and ms, s, m, h or d")
    return int(found[1]) * _UNIT_SECONDS[found[2]]


def quantity(value: str | int) -> float:
    """A Kubernetes quantity in its base unit (bytes, cores)."""
    found = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(value))
    if found is None or found[2] not in _QUANTITY_FACTORS:
        raise ValueError(f"{value!r} is no quantity: write a number and m, Ki, Mi, Gi, …")
    return float(found[1]) * _QUANTITY_FACTORS[found[2]]
