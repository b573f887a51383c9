"""The generic cell rate algorithm (ITU-T I.371): one timestamp per caller says all that a bucket says.

That timestamp is when the bucket would be full again (the «theoretical arrival time»). A request moves it on by one
interval and is refused when that would put it further ahead than a whole bucket. Times are microseconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from services.api_gateway.domain.routes import Limit

MICROSECONDS: Final = 1_000_000
FREE_PART: Final = 4
"""One in so many of a limit's requests are let through without asking, shared by all gateways."""


@dataclass(frozen=True)
class Bucket:
    """`tokens` at most, of which `fill` come back every `seconds`."""

    tokens: int
    fill: int
    seconds: int


@dataclass(frozen=True)
class Share:
    """How a limit is divided: what each gateway lets through by itself, and what all gateways count together."""

    free: Bucket | None
    """Of one gateway; None when there is nothing to divide, and every request is asked about."""
    burst: int
    interval: int
    """Microseconds between two requests at the common rate: whole ones, rounded up, so never 0 and never too fast."""


@dataclass(frozen=True)
class Keyed:
    """A bucket of one caller: under which key its timestamp is kept, and how large it is."""

    key: str
    share: Share


@dataclass(frozen=True)
class Left:
    """What is left in one bucket: `remaining` requests at once. It is full after `reset` seconds and takes one more
    after `wait` seconds, 0 when it would now."""

    remaining: int
    reset: int
    wait: int


@dataclass(frozen=True)
class Verdict:
    """Whether a request passes, and what is left in each of its buckets, in their order."""

    admitted: bool
    left: tuple[Left, ...]

    @property
    def wait(self) -> int:
        """Seconds until every bucket would take one more; 0 for a request that passed."""
        return 0 if self.admitted else max(one.wait for one in self.left)


def shares(limits: Sequence[Limit], gateways: int) -> tuple[Share, ...]:
    """How each limit of a route is counted.

    One alone is divided (`share`). Several are counted whole and in common: a request that a gateway let through by its
    part of one limit and that another limit refuses would have taken from the first.
    """
    if len(limits) == 1:
        return (share(limits[0], gateways),)
    return tuple(whole(limit) for limit in limits)


def whole(limit: Limit) -> Share:
    """A limit of which nothing is dealt out: every request is asked about."""
    return Share(None, limit.bucket, _interval(Fraction(limit.rate.requests, limit.rate.seconds)))


def share(limit: Limit, gateways: int) -> Share:
    """Divide a limit so that all gateways together never admit more than it says.

    A quarter is dealt out to the gateways, so that those who are far from their limit, nearly everybody, cost nothing
    but a bucket in Envoy's memory. The rest is common. Whoever meets only one of N gateways gets 1 - (N-1)/(4N) of the
    limit: all of it with one gateway, never less than three quarters.
    """
    tokens = limit.bucket // (FREE_PART * gateways)
    if tokens == 0:
        return whole(limit)
    free = _filled(tokens, limit, gateways)
    common = Fraction(limit.rate.requests, limit.rate.seconds) - Fraction(gateways * free.fill, free.seconds)
    return Share(free, limit.bucket - gateways * tokens, _interval(common))


def _interval(per_second: Fraction) -> int:
    return math.ceil(MICROSECONDS / per_second)


def _filled(tokens: int, limit: Limit, gateways: int) -> Bucket:
    """Whole tokens at whole seconds, as Envoy wants them, and never faster than the gateway's part of the rate."""
    parts = FREE_PART * gateways
    if limit.rate.requests >= parts:
        return Bucket(tokens, limit.rate.requests // parts, limit.rate.seconds)
    return Bucket(tokens, 1, -(-limit.rate.seconds * parts // limit.rate.requests))


def decide(
    full_at: Sequence[int | None], now: int, shares: Sequence[Share]
) -> tuple[Verdict, tuple[int, ...] | None]:
    """What becomes of a request that all of its buckets must take, and the timestamps to keep.

    They are None when one bucket is empty: then the request takes from none. See `SCRIPT`.
    """
    standing = [max(at or now, now) for at in full_at]
    moved = [at + share.interval for at, share in zip(standing, shares, strict=True)]
    if any(at - share.interval * share.burst > now for at, share in zip(moved, shares, strict=True)):
        return verdict(False, standing, now, shares), None
    return verdict(True, moved, now, shares), tuple(moved)


def verdict(admitted: bool, full_at: Sequence[int], now: int, shares: Sequence[Share]) -> Verdict:
    """What the caller is told of buckets that are full at `full_at`."""
    found = [_left(max(at - now, 0), share) for at, share in zip(full_at, shares, strict=True)]
    return Verdict(admitted, tuple(found))


def _left(ahead: int, share: Share) -> Left:
    """Of a bucket that is full in `ahead` microseconds."""
    room = share.interval * share.burst - ahead
    return Left(max(room // share.interval, 0), _seconds(ahead), _seconds(max(share.interval - room, 0)))


def _seconds(microseconds: int) -> int:
    return -(-microseconds // MICROSECONDS)


SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local admitted, full_at, moved = 1, {}, {}
for n, key in ipairs(KEYS) do
  local interval = tonumber(ARGV[2 * n - 1])
  full_at[n] = math.max(tonumber(redis.call('GET', key) or now), now)
  moved[n] = full_at[n] + interval
  if moved[n] - interval * tonumber(ARGV[2 * n]) > now then admitted = 0 end
end
if admitted == 1 then
  full_at = moved
  for n, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', moved[n]), 'PX', math.ceil((moved[n] - now) / 1000))
  end
end
local told = {admitted, string.format('%.0f', now)}
for n, at in ipairs(full_at) do told[n + 2] = string.format('%.0f', at) end
return told
"""
"""`decide`, where the timestamps are: in one step, by the server's one clock.

KEYS: the buckets of one request. ARGV: interval and burst of each.
"""
