"""What Envoy asks about a caller, and what it is told: headers, both ways."""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.api_gateway.domain.gcra import Share, Verdict
from services.api_gateway.domain.routes import LimitBy

ROUTE: Final = "x-limit-route"
RULE: Final = "x-limit-rule"
SUBJECT: Final = "x-limit-subject"
CLIENT: Final = "x-limit-client"
ADDRESS: Final = "x-limit-address"
TOLD: Final = "x-suuupra-limit-"
"""Prefix of the answer's headers: limit, remaining, reset."""
UNKNOWN: Final = ("", "-")
"""What Envoy writes for what is not there."""
IPV6_PREFIX: Final = 64
"""What one subscriber holds (RFC 6177)."""


class Unreadable(ValueError):
    """Not a question of ours."""


@dataclass(frozen=True)
class Question:
    """Whose bucket is meant, and how large it is."""

    key: str
    limit: int
    """As the route states it, for the caller to read."""
    share: Share


def rule(limit: int, share: Share, by: LimitBy) -> str:
    """How a route carries its limit; read again by `read`."""
    return f"{limit}:{share.burst}:{share.interval}:{by.value}"


def read(headers: Mapping[str, str]) -> Question:
    """The question in a request's headers. The key holds no name and no address, only a digest of both."""
    try:
        limit, burst, interval, by = headers[RULE].split(":")
        share = Share(None, int(burst), int(interval))
        caller = _caller(LimitBy(by), headers)
        told = hashlib.blake2b(f"{headers[ROUTE]}\n{caller}".encode(), digest_size=16).hexdigest()
        return Question(f"api-gateway:limit:{told}", int(limit), share)
    except (KeyError, ValueError) as error:
        raise Unreadable(str(error)) from error


def _caller(by: LimitBy, headers: Mapping[str, str]) -> str:
    """The subject or client of a verified token; the address of whoever showed none, never both."""
    named = {LimitBy.SUBJECT: SUBJECT, LimitBy.CLIENT: CLIENT}.get(by)
    value = headers.get(named, "") if named else ""
    return f"{by.value} {value}" if value not in UNKNOWN else f"address {network_of(headers[ADDRESS])}"


def network_of(address: str) -> str:
    """An IPv4 address itself; of IPv6 the network that one subscriber holds."""
    found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return str(found)


def answer(limit: int, verdict: Verdict) -> dict[str, str]:
    """The headers of an answer."""
    told = {
        f"{TOLD}limit": str(limit),
        f"{TOLD}remaining": str(verdict.remaining),
        f"{TOLD}reset": str(verdict.reset),
    }
    return told if verdict.admitted else told | {"Retry-After": str(max(verdict.wait, 1))}
