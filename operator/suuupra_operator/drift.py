"""Comparing a live child with what it should be: pure, so that nothing is written when nothing differs.

Three questions, each with its own answer in the manifest:
* Was it rendered from what is desired now? The annotation DESIRED holds a digest of the applied manifest.
* Did somebody change or remove a field of ours? Every desired value must be found in the live object.
* Did somebody add a field beside ours? `managedFields` names the owner of each field of `spec` and `data`.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from suuupra_operator.cluster import FIELD_MANAGER
from suuupra_operator.desired.subject import INSTANCE

Object = dict[str, Any]

DESIRED = "suuupra.io/desired"
_OURS = ("spec", "data", "stringData", "binaryData")
#: Kubernetes' own controllers may write where they please (HPA scales through the scale subresource).
_CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kubelet", "horizontal-pod-autoscaler")
#: An act and not a state: `kubectl rollout restart` writes it, and taking it away would restart the pods once more.
_ACTS = frozenset({"f:kubectl.kubernetes.io/restartedAt"})
_ITEM_KEYS = ("name", "containerPort", "port", "topologyKey", "mountPath", "key", "type")


def stamped(manifest: Object) -> Object:
    """The manifest with its own digest as an annotation."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    stamp = hashlib.sha256(text.encode()).hexdigest()[:16]
    stamped = copy.copy(manifest)
    annotations = {**manifest["metadata"].get("annotations", {}), DESIRED: stamp}
    stamped["metadata"] = manifest["metadata"] | {"annotations": annotations}
    return stamped


def is_current(desired: Object, live: Object) -> bool:
    """Whether ``live`` was rendered from exactly this ``desired`` (see `stamped`)."""
    return bool(_annotation(desired) == _annotation(live))


def holds(desired: Any, live: Any) -> bool:
    """Whether every value of ``desired`` is found in ``live``; what the API server adds beside it is ignored."""
    match desired:
        case dict():
            return isinstance(live, Mapping) and all(
                holds(value, live[key]) if key in live else _is_empty(value) for key, value in desired.items()
            )
        case list():
            return isinstance(live, list) and _items_hold(desired, live)
        case _:
            return bool(_scalar(desired) == _scalar(live))


def written_by_others(live: Object) -> set[str]:
    """Keys of ``data`` whose value somebody else has written since it was last applied."""
    return {
        field.removeprefix("f:")
        for entry in live.get("metadata", {}).get("managedFields", [])
        if entry.get("manager") != FIELD_MANAGER
        for field in entry.get("fieldsV1", {}).get("f:data", {})
        if field != "."
    }


def applied_for(resource: str, live: Object) -> bool:
    """Whether the operator has applied ``live`` for the resource of this name, whoever owns it now."""
    meta = live.get("metadata", {})
    ours = any(
        entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
        for entry in meta.get("managedFields", [])
    )
    return ours and bool(meta.get("labels", {}).get(INSTANCE) == resource)


def foreign_fields(desired: Object, live: Object) -> list[str]:
    """JSON pointers of fields that somebody else put into ``spec`` or ``data`` and that are not desired.

    Ordered so that they can be removed one after the other: list items from the back.
    """
    found: set[tuple[str | int, ...]] = set()
    for entry in live.get("metadata", {}).get("managedFields", []):
        if (
            entry.get("manager") == FIELD_MANAGER
            or entry.get("manager") in _CONTROLLERS
            or entry.get("subresource")
        ):
            continue
        for part in _OURS:
            fields = entry.get("fieldsV1", {}).get(f"f:{part}")
            if fields is not None and part in live:
                found |= set(_undesired(fields, desired.get(part), live[part], (part,)))
    return [_pointer(path) for path in sorted(found, key=_removal_order)]


def _undesired(
    fields: Mapping[str, Any], desired: Any, live: Any, path: tuple[str | int, ...]
) -> Iterator[Any]:
    """Paths below ``path`` that ``fields`` owns, that exist live and that nothing desired mentions."""
    for key, inner in fields.items():
        if key == "." or key in _ACTS:
            continue
        step, there = _step(key, live)
        if step is None:
            continue
        wanted = _wanted(key, step, desired)
        if wanted is None:
            yield (*path, step)
        elif isinstance(inner, Mapping) and inner:
            yield from _undesired(inner, wanted, there, (*path, step))


def _step(key: str, live: Any) -> tuple[str | int | None, Any]:
    """Where a `managedFields` key leads in the live object: a name, or the index of a list's item."""
    kind, _, rest = key.partition(":")
    if kind == "f" and isinstance(live, Mapping) and rest in live:
        return rest, live[rest]
    if kind == "k" and isinstance(live, list):
        wanted = json.loads(rest)
        for index, item in enumerate(live):
            if isinstance(item, Mapping) and all(item.get(name) == value for name, value in wanted.items()):
                return index, item
    if kind == "v" and isinstance(live, list) and json.loads(rest) in live:
        return live.index(json.loads(rest)), None
    return None, None


def _wanted(key: str, step: str | int, desired: Any) -> Any:
    """The desired counterpart of a step, or None when nothing there is desired."""
    kind, _, rest = key.partition(":")
    if kind == "f":
        return desired.get(step) if isinstance(desired, Mapping) else None
    if not isinstance(desired, list):
        return None
    identity = json.loads(rest)
    if kind == "v":
        return identity if identity in desired else None
    for item in desired:
        if isinstance(item, Mapping) and all(
            item.get(name, value) == value for name, value in identity.items()
        ):
            return item
    return None


def _items_hold(desired: list[Any], live: list[Any]) -> bool:
    """Keyed lists are compared item by item and may hold more; all others must match one to one, in order."""
    key = _item_key(desired)
    if key is None:
        return len(desired) == len(live) and all(holds(a, b) for a, b in zip(desired, live, strict=True))
    by_key = {item.get(key): item for item in live if isinstance(item, Mapping)}
    return all(item[key] in by_key and holds(item, by_key[item[key]]) for item in desired)


def _item_key(items: list[Any]) -> str | None:
    for key in _ITEM_KEYS:
        values = [item.get(key) for item in items if isinstance(item, Mapping)]
        if (
            items
            and len(values) == len(items)
            and None not in values
            and len(set(map(str, values))) == len(values)
        ):
            return key
    return None


def _removal_order(path: tuple[str | int, ...]) -> list[tuple[int, str]]:
    """Later list items first, so that removing one does not move another."""
    return [(-step, "") if isinstance(step, int) else (0, step) for step in path]


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _annotation(obj: Object) -> Any:
    return obj.get("metadata", {}).get("annotations", {}).get(DESIRED)


def _scalar(value: Any) -> Any:
    """Quantities and other scalars as the API server writes them: 1 and "1" are the same."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _is_empty(value: Any) -> bool:
    """The API server drops empty maps and lists; None is never desired."""
    return value in ({}, [], "")
