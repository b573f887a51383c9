"""What callers are told of their limits: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers).

Both are lists (RFC 9651) with one member for each limit of the route, named alike in both, as ``"client/m"``.
"""

from collections.abc import Sequence

from services.api_gateway.domain.gcra import Left
from services.api_gateway.domain.routes import Limit


def policy(limits: Sequence[Limit]) -> str:
    """RateLimit-Policy: a full bucket holds ``q`` requests, and an empty one is full after ``w`` seconds."""
    return ", ".join(f'"{limit.name}";q={limit.bucket};w={_window(limit)}' for limit in limits)


def left(names: Sequence[str], found: Sequence[Left]) -> str:
    """RateLimit: ``r`` requests may follow at once, and after ``t`` seconds the bucket is full."""
    told = zip(names, found, strict=True)
    return ", ".join(f'"{name}";r={one.remaining};t={one.reset}' for name, one in told)


def _window(limit: Limit) -> int:
    return -(-limit.bucket * limit.rate.seconds // limit.rate.requests)
