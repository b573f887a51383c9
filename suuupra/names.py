"""How a service is spelled: folder, resource, database and module, derived in one place.

A service is called what its SuuupraService resource is called: `api-gateway`. Its folder and Python package, its
PostgreSQL database and its environment variables cannot carry a hyphen, so they say `api_gateway`.
"""

from __future__ import annotations

import keyword
import re

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_LENGTH = 40
"""Longest name, in characters: the operator's children add up to 23 (`-migrate-<hash>`) to a 63-character label."""


class InvalidName(ValueError):
    """A service name that Kubernetes, PostgreSQL or Python would refuse."""


def folder_of(name: str) -> str:
    """`api-gateway` → `api_gateway`: the folder under services/, the package and the database."""
    return name.replace("-", "_")


def resource_of(folder: str) -> str:
    """`api_gateway` → `api-gateway`: the resource, the host and the command line."""
    return folder.replace("_", "-")


def check(name: str) -> str:
    """Return `name` when every place that will carry it accepts it, else raise InvalidName with rule and fix."""
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} is not a service name: use lower-case letters, digits and single hyphens, "
            "beginning with a letter, for example live-classes"
        )
    if len(name) > MAX_LENGTH:
        raise InvalidName(f"{name!r} has {len(name)} characters; use at most {MAX_LENGTH}")
    if keyword.iskeyword(folder_of(name)):
        raise InvalidName(
            f"{name!r} is a word of the Python language; choose another, for example {name}-service"
        )
    return name
