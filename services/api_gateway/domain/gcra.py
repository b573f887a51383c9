"""The generic cell rate algorithm (ITU-T I.371): one timestamp per caller says all that a bucket says.

That timestamp is when the bucket would be full again (the «theoretical arrival time»). A request moves it on by one
interval and is refused when that would put it further ahead than a whole bucket. Times are microseconds.
"""

from dataclasses import dataclass
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
    seconds: float


@dataclass(frozen=True)
class Share:
    """How a limit is divided: what each gateway lets through by itself, and what all gateways count together."""

    free: Bucket | None
    """Of one gateway; None when there is nothing to divide, and every request is asked about."""
    burst: int
    interval: int
    """Microseconds between two requests at the common rate."""


@dataclass(frozen=True)
class Verdict:
    """`remaining` requests may follow at once; after `reset` seconds the bucket is full; `wait` when refused."""

    admitted: bool
    remaining: int
    reset: int
    wait: int


def share(limit: Limit, gateways: int) -> Share:
    """Divide a limit so that all gateways together never admit more than it says.

    A quarter is dealt out to the gateways, so that those who are far from their limit, nearly everybody, cost nothing
    but a bucket in Envoy's memory. The rest is common. Whoever meets only one of N gateways gets 1 - (N-1)/(4N) of the
    limit: all of it with one gateway, never less than three quarters.
    """
    tokens = limit.bucket // (FREE_PART * gateways)
    whole = limit.rate.requests / limit.rate.seconds
    if tokens == 0:
        return Share(None, limit.bucket, round(MICROSECONDS / whole))
    free = _filled(tokens, limit, gateways)
    common = whole - gateways * free.fill / free.seconds
    return Share(free, limit.bucket - gateways * tokens, round(MICROSECONDS / common))


def _filled(tokens: int, limit: Limit, gateways: int) -> Bucket:
    """Whole tokens at whole seconds, as Envoy wants them, and never faster than the gateway's part of the rate."""
    parts = FREE_PART * gateways
    if limit.rate.requests >= parts:
        return Bucket(tokens, limit.rate.requests // parts, limit.rate.seconds)
    return Bucket(tokens, 1, -(-limit.rate.seconds * parts // limit.rate.requests))


def decide(full_at: int | None, now: int, share: Share) -> tuple[Verdict, int | None]:
    """What becomes of a request, and the timestamp to keep; None when nothing changes. See `SCRIPT`."""
    burst = share.interval * share.burst
    moved = max(full_at or now, now) + share.interval
    if moved - burst > now:
        return verdict(False, moved - share.interval, now, share), None
    return verdict(True, moved, now, share), moved


def verdict(admitted: bool, full_at: int, now: int, share: Share) -> Verdict:
    """What the caller is told of a bucket that is full at `full_at`."""
    ahead = max(full_at - now, 0)
    remaining = max((share.interval * share.burst - ahead) // share.interval, 0)
    wait = 0 if admitted else max(full_at + share.interval - share.interval * share.burst - now, 0)
    return Verdict(admitted, remaining, _seconds(ahead), _seconds(wait))


def _seconds(microseconds: int) -> int:
    return -(-microseconds // MICROSECONDS)


SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[1]) * tonumber(ARGV[2])
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
local moved = math.max(full_at, now) + interval
if moved - burst > now then
  return {0, string.format('%.0f', moved - interval), string.format('%.0f', now)}
end
redis.call('SET', KEYS[1], string.format('%.0f', moved), 'PX', math.ceil((moved - now) / 1000))
return {1, string.format('%.0f', moved), string.format('%.0f', now)}
"""
"""`decide`, where the timestamps are: in one step, by the server's one clock. KEYS: the bucket. ARGV: interval, burst."""
