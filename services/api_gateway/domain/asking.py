"""What Envoy asks about a caller, and what it is told: headers, both ways."""

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.api_gateway.domain import fields
from services.api_gateway.domain.gcra import Keyed, Share, Verdict, shares
from services.api_gateway.domain.routes import Limit, LimitBy

ROUTE: Final = "x-limit-route"
RULE: Final = "x-limit-rule"
SUBJECT: Final = "x-limit-subject"
CLIENT: Final = "x-limit-client"
ADDRESS: Final = "x-limit-address"
TOLD: Final = "x-suuupra-limits"
"""In an answer: the RateLimit field."""
ALONE: Final = "x-envoy-auth-failure-mode-allowed"
"""On a request that nobody counted in common, so that the gateway's own limits decide: Envoy's own header for a question
without an answer, and ours when Valkey is away."""
UNKNOWN: Final = ("", "-")
"""What Envoy writes for what is not there."""
IPV6_PREFIX: Final = 64
"""What one subscriber holds (RFC 6177)."""


class Unreadable(ValueError):
    """Not a question of ours."""


@dataclass(frozen=True)
class Question:
    """Which buckets are meant, and what each limit is called."""

    buckets: tuple[Keyed, ...]
    names: tuple[str, ...]


def rule(limits: Sequence[Limit], gateways: int) -> str:
    """How a route carries its limits; read again by `read`."""
    parts = zip(limits, shares(limits, gateways), strict=True)
    return ",".join(f"{limit.name}:{share.burst}:{share.interval}" for limit, share in parts)


def read(headers: Mapping[str, str]) -> Question:
    """The question in a request's headers. A key holds no name and no address, only a digest of both."""
    try:
        parts = [part.split(":") for part in headers[RULE].split(",")]
        buckets = [
            Keyed(_key(name, headers), Share(None, int(burst), int(interval)))
            for name, burst, interval in parts
        ]
        return Question(tuple(buckets), tuple(name for name, _, _ in parts))
    except (KeyError, ValueError) as error:
        raise Unreadable(str(error)) from error


def _key(name: str, headers: Mapping[str, str]) -> str:
    caller = _caller(LimitBy(name.partition("/")[0]), headers)
    told = hashlib.blake2b(f"{headers[ROUTE]}\n{name}\n{caller}".encode(), digest_size=16).hexdigest()
    return f"api-gateway:limit:{told}"


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


def answer(question: Question, verdict: Verdict) -> dict[str, str]:
    """The headers of an answer."""
    told = {TOLD: fields.left(question.names, verdict.left)}
    return told if verdict.admitted else told | {"Retry-After": str(max(verdict.wait, 1))}
