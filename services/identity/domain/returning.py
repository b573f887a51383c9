"""Where somebody is sent after they signed in: back to the request they came from, and nowhere else."""

import re
from typing import Final

from services.identity.domain.authorization import LONGEST

AUTHORIZE: Final = "/oauth/authorize"
_REQUEST: Final = re.compile(rf"{AUTHORIZE}\?[\x21\x23-\x5b\x5d-\x7e]{{1,{LONGEST}}}")


def checked(address: str | None) -> str | None:
    """The address, if it leads to our own authorization endpoint; None for every other, said or made up."""
    return address if address and _REQUEST.fullmatch(address) else None


def to_request(query: str) -> str:
    """The address of a request."""
    return f"{AUTHORIZE}?{query}"


def query_of(address: str) -> str:
    """The request of an address that `checked` let pass."""
    return address.partition("?")[2]
