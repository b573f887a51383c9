"""Pure: what an event looks like, and whether a change of it breaks those who read it.

The rules are those of a publisher's change (backward for stored messages, forward for deployed consumers): a
consumer generated from the old schema must be able to read what the new publisher sends, and a consumer of the new
schema what the old publisher has left in the topic.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from suuupra.events import Event

Schema = dict[str, Any]

_NOISE = frozenset({"title", "description", "examples", "default", "deprecated"})
"""Says nothing about what may be sent."""


def schema_of(event: type[Event]) -> Schema:
    """The JSON Schema of an event's data, references resolved, without what only people read."""
    schema = event.model_json_schema(mode="serialization")
    plain = _plain(schema, schema.get("$defs", {}))
    assert isinstance(plain, dict)
    return plain


def _plain(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _plain(definitions[node["$ref"].rpartition("/")[2]], definitions)
    # A field may be called «title»; only the keyword is noise.
    return {
        key: {name: _plain(field, definitions) for name, field in value.items()}
        if key == "properties"
        else _plain(value, definitions)
        for key, value in node.items()
        if key not in _NOISE | {"$defs"}
    }


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Each change between two schemas of the same version that somebody cannot read, in words."""
    return list(_breaking(old, new, "data"))


def _breaking(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if old.get("type") == new.get("type") == "object" and "properties" in old | new:
        yield from _breaking_object(old, new, path)
    elif old.get("type") == new.get("type") == "array":
        yield from _breaking(old.get("items", {}), new.get("items", {}), f"{path}[]")
    elif _bare(old) != _bare(new):
        yield f"{path} was {_shown(old)} and is now {_shown(new)}"
    if added := [value for value in new.get("enum", ()) if value not in old.get("enum", ())]:
        yield f"{path} may now be {', '.join(map(repr, added))}, which old consumers do not know"
    if removed := [value for value in old.get("enum", ()) if value not in new.get("enum", ())]:
        yield f"{path} may no longer be {', '.join(map(repr, removed))}, which old messages are"


def _breaking_object(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name not in after:
            yield f"{path}.{name} was removed"
        else:
            yield from _breaking(before[name], after[name], f"{path}.{name}")
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{path}.{name} is now required, and old messages do not have it"
    for name in set(old.get("required", ())) - set(new.get("required", ())):
        if name in after:
            yield f"{path}.{name} is no longer always there, and old consumers need it"


def _bare(schema: Schema) -> Schema:
    """Without the allowed values, which are compared one by one."""
    return {key: value for key, value in schema.items() if key not in {"enum", "required"}}


def _shown(schema: Schema) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(_bare(schema).items())) or "anything"
