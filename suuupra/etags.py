"""Edits that do not overwrite each other's: ETag and If-Match (RFC 9110, 8.8.3 and 13.1.1).

An ETag of ours names the version of a resource, not the bytes of one representation. A gateway that compresses marks
it weak (`W/"7"`), as it should; it names the same version still, and is accepted as such.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from suuupra.errors import BadRequest, FieldError, PreconditionFailed, PreconditionRequired
from suuupra.openapi import REQUIRED

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e]*")')
_TAGS = re.compile(rf"\s*{_TAG.pattern}(?:\s*,\s*{_TAG.pattern})*\s*")
_FIX = "send If-Match with the ETag of the version you read, or * for any"


def etag_of(version: int | str) -> str:
    """The ETag of a version: `7` → `"7"`. Text is visible ASCII without quotes, for example a hex digest."""
    tag = f'"{version}"'
    if not _TAG.fullmatch(tag):
        raise ValueError("a version in an ETag is visible ASCII without quotes")
    return tag


@dataclass(frozen=True, slots=True)
class Precondition:
    """The versions that the caller is willing to change; None stands for any."""

    tags: frozenset[str] | None

    def require(self, current: int | str) -> None:
        """Raise PreconditionFailed unless `current` is one of them."""
        tag = etag_of(current)
        if self.tags is not None and tag not in self.tags:
            error = FieldError(
                "header.If-Match", f"must be the present version {tag}", "read it again and redo the edit"
            )
            raise PreconditionFailed(
                "It was changed after you read it.", errors=[error], headers={"ETag": tag}
            )


async def if_match(
    given: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The ETag of the version to change.",
            examples=['"7"'],
            json_schema_extra=REQUIRED,
        ),
    ] = None,
) -> Precondition:
    """A dependency for edits: 428 without If-Match (RFC 6585, 3), 400 when it cannot be read."""
    if given is None:
        error = FieldError("header.If-Match", "is required", _FIX)
        raise PreconditionRequired("An edit must say which version it changes.", errors=[error])
    return Precondition(_parse(given))


IfMatch = Annotated[Precondition, Depends(if_match)]


def _parse(given: str) -> frozenset[str] | None:
    if given.strip() == "*":
        return None
    if not _TAGS.fullmatch(given):
        error = FieldError("header.If-Match", 'must be entity tags such as "7"', _FIX)
        raise BadRequest("If-Match cannot be read.", errors=[error])
    return frozenset(_TAG.findall(given))


def not_modified(request: Request, etag: str) -> Response | None:
    """The 304 to answer when the caller has this version already (If-None-Match, RFC 9110, 13.1.2), else None."""
    given = request.headers.get("if-none-match", "")
    if given.strip() == "*" or etag in _TAG.findall(given):
        return Response(status_code=304, headers={"ETag": etag})
    return None
