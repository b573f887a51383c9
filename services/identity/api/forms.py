"""Forms: read as browsers and clients send them, checked field by field."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from services.identity import contract
from services.identity.domain.passwords import fault
from services.identity.usecases.problems import FormFault
from suuupra import fields
from suuupra.errors import BadRequest, FieldError, UnsupportedMediaType

TYPE: Final = "application/x-www-form-urlencoded"
LIMIT: Final = 32 * 1024
"""Bytes of a form: a long authorization request, twice."""

_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(fields.EmailAddress)
_NAME: Final[TypeAdapter[str]] = TypeAdapter(contract.Name)
_LOCALE: Final[TypeAdapter[str]] = TypeAdapter(contract.Locale)
_TAG: Final = re.compile(r"\s*([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?\s*(?:;|,|$)")


async def pairs(request: Request) -> list[tuple[str, str]]:
    """The fields of a form in their order. Raises UnsupportedMediaType, BadRequest."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != TYPE:
        error = FieldError("header.Content-Type", f"must be {TYPE}", "send a form")
        raise UnsupportedMediaType("This address takes forms.", errors=[error])
    body = await request.body()
    try:
        text = body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        error = FieldError("body", "must be form fields in UTF-8", "encode it as a browser does")
        raise BadRequest("The form cannot be read.", errors=[error]) from None


async def values(request: Request) -> dict[str, str]:
    """As `pairs`, each field at most once."""
    given = await pairs(request)
    found = dict(given)
    if len(found) != len(given):
        error = FieldError("body", "must have each field once", "send it once")
        raise BadRequest("A field is given more than once.", errors=[error])
    return found


def email(form: Mapping[str, str]) -> str:
    """The address somebody wrote. Raises FormFault."""
    try:
        return _EMAIL.validate_python(form.get("email", ""))
    except ValidationError:
        raise FormFault({"email": "Write an e-mail address, such as asha@example.org."}) from None


def person(form: Mapping[str, str]) -> tuple[str, str, str]:
    """Address, name and password of somebody new. Raises FormFault with all that is to be corrected."""
    faults: dict[str, str] = {}
    address = name = ""
    try:
        address = email(form)
    except FormFault as error:
        faults |= error.faults
    try:
        name = _NAME.validate_python(form.get("name", ""))
    except ValidationError:
        faults["name"] = "Write a name of 1 to 100 characters, on one line."
    wrong = fault(form.get("password", ""), email=address, name=name)
    if wrong is not None:
        faults["password"] = wrong
    if faults:
        raise FormFault(faults)
    return address, name, form["password"]


def locale_of(request: Request) -> str:
    """The language a browser prefers; English where it says none that we can write down."""
    match = _TAG.match(request.headers.get("accept-language", ""))
    if match is None:
        return "en"
    language, script, region = match.groups()
    parts = [language.lower(), script.title() if script else None, region.upper() if region else None]
    try:
        return _LOCALE.validate_python("-".join(part for part in parts if part))
    except ValidationError:
        return "en"


def shown(form: Mapping[str, str]) -> dict[str, Any]:
    """What was written, to be shown again; never a password."""
    return {name: form.get(name, "")[:254] for name in ("email", "name")}
