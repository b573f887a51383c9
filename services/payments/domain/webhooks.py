"""Webhooks: when a delivery is tried again, and where none may go. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 72_000)
)
"""After each try that failed (Standard Webhooks' proposal, ended within three days)."""
GIVE_UP: Final = timedelta(days=3)
GONE: Final = 410
"""The receiver wants no more (Standard Webhooks): the endpoint is switched off."""
SECURE_PORTS: Final = frozenset({443, 8443})


def next_try(begun_at: datetime, tries: int, now: datetime) -> datetime | None:
    """When a delivery is tried again that failed for the `tries`-th time; None: given up."""
    if tries > len(PAUSES):
        return None
    due = now + PAUSES[tries - 1]
    return due if due <= begun_at + GIVE_UP else None


def delivered(status: int) -> bool:
    """Whether the receiver has it: any 2xx. A redirection is not followed and is no success."""
    return 200 <= status < 300


class Forbidden(ValueError):
    """Nothing may be sent there; the text is the rule that it breaks."""


def check_address(url: str, *, guarded: bool) -> None:
    """Raise Forbidden when an endpoint's address cannot be allowed, whatever it resolves to.

    `guarded`: only https, on a port for it, by a name or a public address. Never a user name or a fragment.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden("must be an absolute address") from None
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise Forbidden("must be an absolute http or https address")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Forbidden("must hold neither a user name nor a fragment")
    if not guarded:
        return
    if parts.scheme != "https":
        raise Forbidden("must begin with https://")
    if port is not None and port not in SECURE_PORTS:
        raise Forbidden("must be on port 443 or 8443")
    _check_host(parts.hostname)


def _check_host(host: str) -> None:
    try:
        literal = ip_address(host)
    except ValueError:
        # Names without a dot, and those of the cluster, are nobody's in public. The rest is judged when resolved.
        if "." not in host.rstrip(".") or host.rstrip(".").endswith(
            (".local", ".internal", ".svc", ".localhost")
        ):
            raise Forbidden("must be a public name") from None
        if host.rstrip(".").replace(".", "").isdecimal():
            raise Forbidden("must be a public name") from None
    else:
        check_resolved([str(literal)])


def check_resolved(addresses: Iterable[str]) -> None:
    """Raise Forbidden unless every address that a name stands for is public."""
    found = [ip_address(address.partition("%")[0]) for address in addresses]
    if not found or not all(is_public(address) for address in found):
        raise Forbidden("must lead to a public address")


_TRANSLATED: Final = (
    IPv6Address("64:ff9b::"),  # NAT64 (RFC 6052)
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is somebody's on the internet: not ours, not this machine's, not the cloud's metadata."""
    if isinstance(address, IPv6Address):
        inner = (
            address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or _nat64(address)
        )
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _nat64(address: IPv6Address) -> IPv4Address | None:
    prefix, inner = divmod(int(address), 2**32)
    known = any(prefix == int(start) >> 32 for start in _TRANSLATED)
    return IPv4Address(inner) if known else None
