"""What can go wrong, as classes; and the one way it is told over HTTP: problem+json (RFC 9457).

A service says what happened by raising a Problem, or a subclass of its own:

    class LessonLocked(Conflict):
        slug = "lesson-locked"
        title = "The lesson is locked"

    raise LessonLocked("Finish the module before this one first.")
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:suuupra:problem:"
"""Problem types are URNs: they must stay equal on every host the platform runs on (RFC 9457, 3.1.1)."""


MOST_ERRORS = 50
"""How many wrong fields are told at once: a body of wrong items must not become a larger answer."""
LONGEST_PATH = 200
"""Characters of a field's path, whose parts the caller may have made up."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing the caller can correct. `field` is a path such as `body.title`, `query.limit`, `header.If-Match`."""

    field: str
    rule: str
    fix: str


class Problem(Exception):
    """An answer other than success. `detail` is written for the caller and must hold no internals and no secrets."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self, detail: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self, *, instance: str, request_id: str | None) -> dict[str, Any]:
        """The members of the problem document (RFC 9457, 3.1), with `request_id` and `errors` as extensions."""
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if request_id is not None:
            document["request_id"] = request_id
        if self.errors:
            document["errors"] = [asdict(error) for error in self.errors]
        return document


class BadRequest(Problem):
    status, slug, title = 400, "bad-request", "The request cannot be understood"


class MalformedJson(BadRequest):
    slug, title = "malformed-json", "The body is not valid JSON"


class Unauthenticated(Problem):
    """No token, or one that is not accepted. The header is required by RFC 9110, 11.6.1 and RFC 6750, 3."""

    status, slug, title = 401, "unauthenticated", "A valid access token is needed"

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = (), challenge: str = "Bearer") -> None:
        super().__init__(detail, errors=errors, headers={"WWW-Authenticate": challenge})


class Forbidden(Problem):
    status, slug, title = 403, "forbidden", "You may not do this"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "There is nothing here"


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "This address does not take that method"


class NotAcceptable(Problem):
    status, slug, title = 406, "not-acceptable", "No acceptable form of this exists"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "This contradicts what is already there"


class Gone(Problem):
    status, slug, title = 410, "gone", "This is no longer here"


class PreconditionFailed(Problem):
    status, slug, title = 412, "precondition-failed", "It was changed since you read it"


class TooLarge(Problem):
    status, slug, title = 413, "too-large", "The body is too large"


class UnsupportedMediaType(Problem):
    status, slug, title = 415, "unsupported-media-type", "Bodies of this type are not taken"


class Invalid(Problem):
    status, slug, title = 422, "invalid", "Some of what was sent does not follow the rules"


class PreconditionRequired(Problem):
    status, slug, title = 428, "precondition-required", "Say which version you mean to change"


class TooManyRequests(Problem):
    status, slug, title = 429, "too-many-requests", "Too many requests"


class Internal(Problem):
    """A fault of ours. Its cause is in the log under the request id and never in the answer."""

    status, slug, title = 500, "internal", "Something went wrong on our side"

    def __init__(self) -> None:
        super().__init__("The fault has been recorded. Try again; if it persists, report the request id.")


class Unavailable(Problem):
    status, slug, title = 503, "unavailable", "This cannot be done right now"


GENERIC: Mapping[int, type[Problem]] = {
    problem.status: problem
    for problem in (
        BadRequest,
        Unauthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        Conflict,
        Gone,
        PreconditionFailed,
        TooLarge,
        UnsupportedMediaType,
        Invalid,
        PreconditionRequired,
        TooManyRequests,
        Internal,
        Unavailable,
    )
}
"""The general problem of each status: what documents a status, and what stands for the framework's own errors."""


def render(problem: Problem, request: Request) -> Response:
    """The problem as an HTTP response. The only place that writes problem+json."""
    document = problem.body(instance=request.url.path, request_id=request.scope.get("suuupra.request_id"))
    # ASCII: a name that the caller made up may hold half a surrogate pair, which UTF-8 cannot.
    content = json.dumps(document, separators=(",", ":")).encode("ascii")
    return Response(content, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def invalid(field: str, rule: str, fix: str) -> Problem:
    """One field that does not follow a rule."""
    return Invalid(f"{field} {rule}.", errors=[FieldError(field, rule, fix)])


def not_found(what: str, key: object, field: str = "path") -> Problem:
    """The same answer for what does not exist and for what belongs to somebody else."""
    rule = f"must lead to a {what} that is there and yours to see"
    error = FieldError(field, rule, "take the address from a list of them")
    return NotFound(f"There is no {what} {key}, or it is not yours to see.", errors=[error])


def too_large(limit: int) -> TooLarge:
    """The body has more than `limit` bytes."""
    error = FieldError("body", f"must have at most {limit} bytes", "send less, or send it in parts")
    # Closing spares both sides the rest of it.
    return TooLarge(f"The body has more than {limit} bytes.", errors=[error], headers={"Connection": "close"})


def from_http_exception(error: HTTPException, request: Request) -> Problem:
    """The framework's own errors (unknown route, wrong method) in our words."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _nothing_at(request.url.path)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _method_not_allowed(request, (error.headers or {}).get("Allow", ""))
    if error.status_code == HTTPStatus.BAD_REQUEST and (unread := _unreadable_json(error.__cause__, request)):
        return unread
    known = GENERIC.get(error.status_code)
    if known is Unauthenticated:
        return Unauthenticated(str(error.detail))
    if known is None or known is Internal:
        return (
            Internal() if error.status_code >= 500 else BadRequest(str(error.detail), headers=error.headers)
        )
    return known(str(error.detail), headers=error.headers)


def _nothing_at(path: str) -> Problem:
    error = FieldError(
        "path", "must be an address that this service has", "compare it with the service's description"
    )
    return NotFound(f"Nothing is found at {path}.", errors=[error])


def _method_not_allowed(request: Request, allowed: str) -> Problem:
    if "GET" in allowed and "HEAD" not in allowed:
        allowed += ", HEAD"  # suuupra.edge answers it wherever there is a GET
    error = FieldError("method", f"must be one that this address takes: {allowed}", f"send {allowed}")
    return MethodNotAllowed(
        f"{request.url.path} takes {allowed}, not {request.method}.",
        errors=[error],
        headers={"Allow": allowed},
    )


def from_validation(error: RequestValidationError) -> Problem:
    """What FastAPI found wrong with path, query, headers and body, each with field, rule and fix."""
    details: Sequence[ErrorDetails] = error.errors()
    for detail in details:
        if detail["type"] == "json_invalid":
            return _malformed_json(detail, error.body)
    errors = [_field_error(detail) for detail in details[:MOST_ERRORS]]
    first = f"{errors[0].field} {errors[0].rule}"
    return Invalid(f"{first}; and {len(details) - 1} more." if details[1:] else f"{first}.", errors=errors)


def _malformed_json(detail: ErrorDetails, body: object) -> Problem:
    position = detail["loc"][-1]
    before = body[:position] if isinstance(body, str) and isinstance(position, int) else ""
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    reason = str(detail.get("ctx", {}).get("error", "not JSON"))
    where = f"line {line}, column {column}"
    error = FieldError("body", f"must be valid JSON; {reason} at {where}", f"correct the JSON at {where}")
    return MalformedJson(f"The body is not valid JSON: {reason} at {where}.", errors=[error])


def _unreadable_json(cause: BaseException | None, request: Request) -> Problem | None:
    """What the JSON parser gives up on without a position of its own, of which the framework says only that it failed."""
    if "json" not in request.headers.get("content-type", ""):
        return None
    match cause:
        case UnicodeDecodeError(start=start):
            where = f"byte {start + 1}"
            rule, fix = (
                f"must be text in UTF-8, and is not at {where}",
                f"encode it in UTF-8; look at {where}",
            )
        case RecursionError():
            rule, fix = "is nested too deep", "put fewer arrays and objects into one another"
        case ValueError():
            digits = sys.get_int_max_str_digits()
            rule = f"must hold no whole number of more than {digits} digits"
            fix = "send a smaller number, or text in double quotes"
        case _:
            return None
    return MalformedJson(f"The body cannot be read: it {rule}.", errors=[FieldError("body", rule, fix)])


def _field_error(detail: ErrorDetails) -> FieldError:
    return FieldError(field=_path(detail["loc"]), rule=_rule(detail), fix=_fix(detail))


def _path(location: Sequence[int | str]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    text = text.removeprefix(".")
    return text if len(text) <= LONGEST_PATH else text[:LONGEST_PATH] + "…"


_MESSAGE_PREFIXES = ("Value error, ", "Assertion failed, ", "Input ", "String ", "Value ", "List ", "Field ")


_RULES: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}


def _rule(detail: ErrorDetails) -> str:
    if detail["type"] in _RULES:
        return _RULES[detail["type"]]
    message = detail["msg"].replace("should", "must", 1)
    for prefix in _MESSAGE_PREFIXES:
        message = message.removeprefix(prefix)
    return message[:1].lower() + message[1:]


_FIXES: Mapping[str, str] = {
    "missing": "add it",
    "extra_forbidden": "remove it",
    "string_too_long": "make it {max_length} or fewer characters long",
    "string_too_short": "make it {min_length} or more characters long",
    "too_long": "send {max_length} or fewer",
    "too_short": "send {min_length} or more",
    "greater_than_equal": "send {ge} or more",
    "less_than_equal": "send {le} or less",
    "greater_than": "send more than {gt}",
    "less_than": "send less than {lt}",
    "literal_error": "send one of {expected}",
    "enum": "send one of {expected}",
    "string_type": "send text in double quotes",
    "int_type": "send a whole number",
    "int_parsing": "send a whole number",
    "int_from_float": "send a whole number",
    "bool_type": "send true or false",
    "bool_parsing": "send true or false",
    "uuid_parsing": "send a UUID such as 0198c5a4-7d3e-7c1a-9c55-0242ac120002",
    "datetime_parsing": "send an RFC 3339 time such as 2026-01-31T12:00:00Z",
    "datetime_from_date_parsing": "send an RFC 3339 time such as 2026-01-31T12:00:00Z",
    "string_pattern_mismatch": "send text matching {pattern}",
    "model_attributes_type": "send a JSON object with content-type application/json",
    "dict_type": "send a JSON object",
    "list_type": "send a JSON array",
}


def _fix(detail: ErrorDetails) -> str:
    template = _FIXES.get(detail["type"], "send a value that follows the rule")
    return template.format_map({key: str(value) for key, value in detail.get("ctx", {}).items()})
