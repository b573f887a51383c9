"""O2: whatever field of a resource is wrong, the API server's answer names it; nothing is left to a list made by hand.

The cases follow from the definitions in crds/, which are generated from the models: of every field at any depth the
wrong type and what lies just beyond each of its bounds, of every object a field that it has not and each that it needs.
What breaks a rule over several fields cannot follow from it: that is in broken_rules.yaml, and each rule is broken
wherever it stands. All are dry runs, so that what is let through by mistake makes nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import yaml
from suuupra_operator.errors import ApiError
from suuupra_operator.kinds import PLATFORM, RAIL, SERVICE, Kind

from .api import Api
from .machines import ROOT
from .waiting import eventually

Schema = dict[str, Any]
Place = tuple[str | int, ...]

OF_ANOTHER_TYPE: dict[str, Any] = {
    "integer": "two",
    "number": "much",
    "boolean": "perhaps",
    "string": 7,
    "array": "one",
    "object": "one",
}
NO_FIELD, NO_VALUE, NO_MATCH = "noSuchField", "no such value", "? ?"
BROKEN: dict[str, dict[str, list[Any]]] = yaml.safe_load(
    (Path(__file__).parent / "broken_rules.yaml").read_text()
)
NEEDED: Schema = {
    "code": "asha",
    "name": "Asha Bank",
    "participants": [{"code": "asha", "name": "Asha Bank"}],
    "path": "/v1",
    "ports": [443],
    "spec": {},
    "topic": "thing.made",
}
"""Of fields that some object requires: what may stand there."""
ELSEWHERE = "default"
"""A namespace that no operator serves: what is made there stays what it is."""
SECOND_TYPE = "second"
AT_ONCE = 16


T = TypeVar("T")


class Wrong(NamedTuple):
    """What is put where, and what the answer must say of that place."""

    path: Place
    value: Any
    says: str


def cases(schema: Schema, path: Place) -> Iterator[Wrong]:
    """Everything that can be wrong with a field, and with those below it."""
    yield from _of_type(schema, path)
    yield from _beyond_bounds(schema, path)
    for name, child in schema.get("properties", {}).items():
        yield from cases(child, (*path, name))
    if "items" in schema:
        yield from cases(schema["items"], (*path, 0))
    if "additionalProperties" in schema:
        yield from cases(schema["additionalProperties"], (*path, "KEY"))


def _of_type(schema: Schema, path: Place) -> Iterator[Wrong]:
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


def _beyond_bounds(schema: Schema, path: Place) -> Iterator[Wrong]:
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


class Broken(NamedTuple):
    """A manifest that breaks a rule, perhaps only where another stood before, and what the answer must say."""

    before: Schema | None
    manifest: Schema
    says: str


def broken(kind: Kind, schema: Schema) -> Iterator[Broken]:
    """Every way in which every rule is broken, at every place where it stands."""
    for place, rule in rules(schema, ()):
        stands = "oldSelf" not in rule["rule"]
        for case in BROKEN["stands" if stands else "changes"][rule["message"]]:
            *before, after = [manifest(kind, filled(schema, place, v)) for v in ([case] if stands else case)]
            where = dotted(place) + rule.get("fieldPath", "") if place else "<nil>"
            says = f'{where}: Invalid value: "object": {rule["message"]}'
            yield Broken(before[0] if before else None, after, says)


def rules(schema: Schema, place: Place) -> Iterator[tuple[Place, Schema]]:
    """Every rule and where it stands; what the operator itself writes, the status, is not asked about."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield place, rule
    for name, child in schema.get("properties", {}).items():
        if (*place, name) != ("status",):
            yield from rules(child, (*place, name))
    if "items" in schema:
        yield from rules(schema["items"], (*place, 0))
    if "additionalProperties" in schema:
        yield from rules(schema["additionalProperties"], (*place, "KEY"))


def filled(schema: Schema, place: Place, value: Any) -> Any:
    """An object with ``value`` at ``place``, and with all that is required on the way there."""
    if place and isinstance(place[0], int):
        return [filled(schema["items"], place[1:], value)]
    if place:
        child = schema.get("properties", {}).get(place[0]) or schema["additionalProperties"]
        value = {place[0]: filled(child, place[1:], value)}
    required = schema.get("required", ()) if isinstance(value, dict) else ()
    missing = {name: schema["properties"][name] for name in required if name not in value}
    if not missing:
        return value
    return value | {name: filled(child, (), NEEDED[name]) for name, child in missing.items()}


def dotted(path: Place) -> str:
    """As the API server writes a path: spec.routes[0].path."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def holding(path: Place, value: Any) -> Any:
    """An object with nothing but ``value`` at ``path``."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def manifest(kind: Kind, parts: Schema) -> Schema:
    """A resource of a kind with these parts."""
    name = "suuupra" if kind is PLATFORM else "wrong"
    meta = {"name": name} | ({"namespace": ELSEWHERE} if kind.namespaced else {}) | parts.get("metadata", {})
    return {"apiVersion": kind.api_version, "kind": kind.name, **parts, "metadata": meta}


async def answer(api: Api, kind: Kind, manifest: Schema) -> str:
    """What the API server says to one who would make it, beginning with the number of its answer."""
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    return await _said(api.cluster._call("POST", kind.path(ELSEWHERE), manifest, params=params))


async def applied(api: Api, kind: Kind, manifest: Schema, **params: str) -> str:
    """What the API server says to one who applies it."""
    path = kind.path(ELSEWHERE, manifest["metadata"]["name"])
    params = {"fieldManager": "test", "force": "true"} | params
    return await _said(api.cluster._call("PATCH", path, manifest, "application/apply-patch+yaml", params))


async def _said(call: Awaitable[object]) -> str:
    try:
        await call
    except ApiError as error:
        return f"{error.status} {error}"
    return "200 was accepted"


async def few_at_once(what: Sequence[T], ask: Callable[[T], Awaitable[str]]) -> list[str]:
    """What is said to each, in order."""
    few = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> str:
        async with few:
            return await ask(item)

    return await asyncio.gather(*map(one, what))


def unsaid(must: Sequence[str], said: Sequence[str]) -> list[str]:
    """What was not refused, or in other words than it must be."""
    return [
        f"{words}, but: {text}"
        for words, text in zip(must, said, strict=True)
        if text.split()[0] not in ("400", "422") or words not in text
    ]


def definition(kind: Kind) -> Schema:
    found: Schema = yaml.safe_load((ROOT / "crds" / f"suuupra.io_{kind.plural}.yaml").read_text())
    return found


def schema_of(definition: Schema) -> Schema:
    (version,) = definition["spec"]["versions"]
    found: Schema = version["schema"]["openAPIV3Schema"]
    return found


EVERY = pytest.mark.parametrize("resource", [SERVICE, RAIL, PLATFORM], ids=lambda kind: kind.name)


@EVERY
async def test_o2_whichever_field_is_wrong_is_named_by_its_path(connected: Api, resource: Kind) -> None:
    wrongs = [*cases(schema_of(definition(resource))["properties"]["spec"], ("spec",))]

    async def ask(wrong: Wrong) -> str:
        return await answer(connected, resource, manifest(resource, holding(wrong.path, wrong.value)))

    assert unsaid([one.says for one in wrongs], await few_at_once(wrongs, ask)) == []


@EVERY
async def test_o2_whichever_rule_is_broken_is_said_with_its_place(connected: Api, resource: Kind) -> None:
    found = [one for one in broken(resource, schema_of(definition(resource))) if one.before is None]

    async def ask(one: Broken) -> str:
        return await answer(connected, resource, one.manifest)

    assert found != []
    assert unsaid([one.says for one in found], await few_at_once(found, ask)) == []


@pytest.mark.parametrize("resource", [SERVICE, RAIL], ids=lambda kind: kind.name)
async def test_o2_what_cannot_change_is_refused_with_its_place(connected: Api, resource: Kind) -> None:
    """A rail has one type yet, and any other is none: that it cannot change is asked where there are two."""
    found = [one for one in broken(resource, schema_of(definition(resource))) if one.before is not None]
    said = []
    async with connected.defined(with_second_type(definition(resource))):
        if resource is RAIL:
            second = manifest(RAIL, {"spec": {"type": SECOND_TYPE, "participants": NEEDED["participants"]}})
            await eventually(lambda: _taken(connected, second), 20, "there are two types of rail")
        for one in found:
            assert one.before is not None
            assert await applied(connected, resource, one.before) == "200 was accepted"
            try:
                said.append(await applied(connected, resource, one.manifest, dryRun="All"))
            finally:
                await connected.delete(resource.name, one.before["metadata"]["name"], ELSEWHERE)
                await connected.gone(resource.name, one.before["metadata"]["name"], namespace=ELSEWHERE)

    assert found != []
    assert unsaid([one.says for one in found], said) == []


def with_second_type(definition: Schema) -> Schema:
    """A definition that has one more type of rail, if it is the rails'."""
    fields = schema_of(definition)["properties"]["spec"]["properties"]
    if "type" in fields:
        fields["type"]["enum"].append(SECOND_TYPE)
    return definition


async def _taken(api: Api, manifest: Schema) -> bool:
    return (await answer(api, RAIL, manifest)).startswith("200")
