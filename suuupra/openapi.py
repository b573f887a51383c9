"""What OpenAPI says about failing: which problems an operation answers with, in one shape (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import JsonValue

from suuupra.errors import GENERIC, MEDIA_TYPE, TYPE_PREFIX, Internal, Problem

_METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")
_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}

REQUIRED: Final[dict[str, JsonValue]] = {"x-required": True}
"""For a header that a dependency answers for itself when it is missing, with 400 or 428 rather than 422: the document
is to call it required all the same. Given as `Header(json_schema_extra=REQUIRED)`."""

_FIELD_ERROR: Final = {
    "title": "FieldError",
    "description": "One thing to correct.",
    "type": "object",
    "required": ["field", "rule", "fix"],
    "properties": {
        "field": {"type": "string", "description": "Where: body.…, query.…, path.… or header.…"},
        "rule": {"type": "string", "description": "What must hold there."},
        "fix": {"type": "string", "description": "What to send instead."},
    },
}
_PROBLEM: Final = {
    "title": "Problem",
    "description": "Why a request was not carried out (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri",
            "description": "The kind of problem; stable, for programs.",
        },
        "title": {"type": "string", "description": "The kind of problem, in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "This occurrence, in words."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "request_id": {"type": "string", "description": "Names this request in the logs."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
    },
}


def problems(*kinds: int | type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that fails in ways its form does not tell: `problems(409, LessonLocked)`.

    401, 403, 404, 412, 413, 422 and 428 are documented by themselves where an operation's form implies them.
    """
    chosen = [GENERIC[kind] if isinstance(kind, int) else kind for kind in kinds]
    return {kind.status: _response(kind) for kind in chosen}


def with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` with each operation's problems, in place of the framework's own validation answer."""
    for operation in _operations(schema):
        _require_headers(operation)
        responses = operation.setdefault("responses", {})
        if _is_frameworks(responses.get("422")):
            del responses["422"]
        for status in _implied(operation):
            responses.setdefault(str(status), _response(GENERIC[status]))
        responses.setdefault("default", _response(Internal))
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas.update(Problem=_PROBLEM, FieldError=_FIELD_ERROR)
    return schema


def without_token(operation: dict[str, Any]) -> None:
    """Say that a token may be left out."""
    operation["security"] = [*operation["security"], {}]


def _operations(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in schema.get("paths", {}).values():
        yield from (path[method] for method in _METHODS if method in path)


def _require_headers(operation: Mapping[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["schema"].pop("x-required", False):
            parameter.update(required=True, schema={"type": "string"})


def _is_frameworks(response: Mapping[str, Any] | None) -> bool:
    return response is not None and "HTTPValidationError" in str(response)


def _implied(operation: Mapping[str, Any]) -> set[int]:
    """The statuses that an operation's parameters, body and security bring with them."""
    parameters = operation.get("parameters", [])
    places = {parameter["in"] for parameter in parameters}
    headers = {parameter["name"].lower() for parameter in parameters if parameter["in"] == "header"}
    return {
        *((401, 403) if operation.get("security") else ()),
        *((404,) if "path" in places else ()),
        *((400, 413, 422) if "requestBody" in operation else ()),
        *((422,) if parameters else ()),
        *((412, 428) if "if-match" in headers else ()),
        *((400, 409) if "idempotency-key" in headers else ()),
    }


def _response(kind: type[Problem]) -> dict[str, Any]:
    example = {
        "type": TYPE_PREFIX + kind.slug,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.title + ".",
    }
    content = {MEDIA_TYPE: {"schema": _REFERENCE, "example": {**example, "instance": "/v1/…"}}}
    return {"description": kind.title, "content": content}
