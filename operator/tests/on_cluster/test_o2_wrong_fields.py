"""O2: whatever field of a resource is wrong, the API server's answer names it; nothing is left to a list made by hand.

The cases follow from the definitions in crds/, which are generated from the models: of every field at any depth the
wrong type and what lies just beyond each of its bounds, of every object a field that it has not and each that it needs.
They are dry runs, so that what is let through by mistake makes nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml
from suuupra_operator.errors import ApiError
from suuupra_operator.kinds import PLATFORM, RAIL, SERVICE, Kind

from .api import NAMESPACE, Api
from .machines import ROOT

Schema = dict[str, Any]
Path = tuple[str | int, ...]

OF_ANOTHER_TYPE: dict[str, Any] = {
    "integer": "two",
    "number": "much",
    "boolean": "perhaps",
    "string": 7,
    "array": "one",
    "object": "one",
}
NO_FIELD, NO_VALUE, NO_MATCH = "noSuchField", "no such value", "? ?"
AT_ONCE = 16


class Wrong(NamedTuple):
    """What is put where, and what the answer must say of that place."""

    path: Path
    value: Any
    says: str


def cases(schema: Schema, path: Path) -> Iterator[Wrong]:
    """Everything that can be wrong with a field, and with those below it."""
    yield from _of_type(schema, path)
    yield from _beyond_bounds(schema, path)
    for name, child in schema.get("properties", {}).items():
        yield from cases(child, (*path, name))
    if "items" in schema:
        yield from cases(schema["items"], (*path, 0))
    if "additionalProperties" in schema:
        yield from cases(schema["additionalProperties"], (*path, "KEY"))


def _of_type(schema: Schema, path: Path) -> Iterator[Wrong]:
    here = dotted(path)
    assert "x-kubernetes-preserve-unknown-fields" not in schema, f"{here} takes anything"
    if schema.get("x-kubernetes-int-or-string"):
        yield Wrong(path, True, f"{here} in body must be of type integer,string")
    else:
        yield Wrong(path, OF_ANOTHER_TYPE[schema["type"]], f"{here} in body must be of type {schema['type']}")
    if "properties" in schema:
        yield Wrong((*path, NO_FIELD), 1, f'unknown field "{here}.{NO_FIELD}"')
    for name in schema.get("required", ()):
        yield Wrong(path, {}, f"{here}.{name}: Required value")


def _beyond_bounds(schema: Schema, path: Path) -> Iterator[Wrong]:
    here = dotted(path)
    if "enum" in schema:
        yield Wrong(path, NO_VALUE, f'{here}: Unsupported value: "{NO_VALUE}"')
    if "pattern" in schema:
        assert not re.search(schema["pattern"], NO_MATCH)
        yield Wrong(path, NO_MATCH, f"{here} in body should match '{schema['pattern']}'")
    step = 0 if schema.get("exclusiveMaximum") else 1
    if "maximum" in schema:
        yield Wrong(path, schema["maximum"] + step, f"{here} in body should be less than")
    if "minimum" in schema:
        yield Wrong(path, schema["minimum"] - 1, f"{here} in body should be greater than")
    if "maxLength" in schema:
        yield Wrong(path, "a" * (schema["maxLength"] + 1), f"{here}: Too long")
    if "minLength" in schema:
        yield Wrong(path, "", f"{here} in body should be at least {schema['minLength']} chars long")
    if "maxItems" in schema:
        yield Wrong(path, [{}] * (schema["maxItems"] + 1), f"{here}: Too many")
    if "minItems" in schema:
        yield Wrong(path, [], f"{here} in body should have at least {schema['minItems']} items")
    if "maxProperties" in schema:
        many = {f"KEY_{index}": "a" for index in range(schema["maxProperties"] + 1)}
        yield Wrong(path, many, f"{here}: Too many")


def dotted(path: Path) -> str:
    """As the API server writes a path: spec.routes[0].path."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def holding(path: Path, value: Any) -> Any:
    """An object with nothing but ``value`` at ``path``."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


async def answer(api: Api, kind: Kind, wrong: Wrong) -> str:
    """What the API server says, beginning with the number of its answer."""
    meta: Schema = {"name": "wrong"} | ({"namespace": NAMESPACE} if kind.namespaced else {})
    manifest = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta}
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        await api.cluster._call(
            "POST", kind.path(NAMESPACE), manifest | holding(wrong.path, wrong.value), params=params
        )
    except ApiError as error:
        return f"{error.status} {error}"
    return "201 was accepted"


@pytest.mark.parametrize("resource", [SERVICE, RAIL, PLATFORM], ids=lambda kind: kind.name)
async def test_o2_whichever_field_is_wrong_is_named_by_its_path(connected: Api, resource: Kind) -> None:
    definition = yaml.safe_load((ROOT / "crds" / f"suuupra.io_{resource.plural}.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    wrongs = [*cases(version["schema"]["openAPIV3Schema"]["properties"]["spec"], ("spec",))]
    few = asyncio.Semaphore(AT_ONCE)

    async def ask(wrong: Wrong) -> str:
        async with few:
            return await answer(connected, resource, wrong)

    said = await asyncio.gather(*map(ask, wrongs))

    unsaid = [
        f"{wrong.says}, but: {text}"
        for wrong, text in zip(wrongs, said, strict=True)
        if text.split()[0] not in ("400", "422") or wrong.says not in text
    ]
    assert unsaid == []
