"""How long a message is tried: for ever while what it needs is away, for a time when it may pass, else a few times.

A dead letter needs a person. An outage must never make one, however long it lasts: the message says nothing wrong.
"""

import errno
import random
import smtplib
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import httpx
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from suuupra.clock import Clock
from suuupra.db import DatabaseBusy, StatementEnded
from suuupra.errors import TooManyRequests, Unavailable
from suuupra.events import MalformedMessage
from suuupra.inbox import ATTEMPTS, PATIENCE, Reject, Retry

FIRST_PAUSE: Final = 0.1
"""Seconds after the first failure, at most; each further pause may be twice as long."""
LONGEST_PAUSE: Final = 10.0
"""Seconds between two attempts, at most: how late the end of an outage may be noticed."""

_AWAY_STATUSES: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_OUR_MISTAKES: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, MessageSizeTooLargeError)
"""Errors of the families below that no wait mends."""
_AWAY: Final = (
    *(Unavailable, TooManyRequests, KafkaError, httpx.TransportError, smtplib.SMTPServerDisconnected),
    # Of OSError only what a network does: a file that is not there is no outage.
    *(ConnectionError, TimeoutError, socket.gaierror, socket.herror),
)
_AWAY_ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "redis.exceptions": ("ConnectionError", "TimeoutError"),
    "aiosmtplib.errors": ("SMTPConnectError", "SMTPServerDisconnected", "SMTPTimeoutError"),
}
"""Errors of libraries that only some services carry in memory: an error of theirs is there only when they are."""
_NETWORK_ERRNOS: Final = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH})
"""What Python has no class of its own for."""


def is_away(error: BaseException) -> bool:
    """Whether the error says nothing about the message: something that its handling needs is away or busy."""
    if isinstance(error, (StatementEnded, *_OUR_MISTAKES)):
        return False
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _AWAY_STATUSES
    return isinstance(error, (*_AWAY, *_loaded())) or _is_network(error) or _is_postponed(error)


def _loaded() -> tuple[type[BaseException], ...]:
    return tuple(
        getattr(sys.modules[module], name)
        for module, names in _AWAY_ELSEWHERE.items()
        if module in sys.modules
        for name in names
    )


def _is_network(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _NETWORK_ERRNOS


def _is_postponed(error: BaseException) -> bool:
    """Whether a mail server said «later» (RFC 5321, 4.2.1: 4yz), whichever library asked it."""
    code: Any = getattr(error, "smtp_code", None) or (
        getattr(error, "code", None) if type(error).__module__.startswith("aiosmtplib") else None
    )
    return isinstance(code, int) and 400 <= code < 500


def may_pass(error: BaseException) -> bool:
    """Whether the message may be at fault, or bad luck: a statement ended by a limit, a peer's 500, a Retry."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, Retry | StatementEnded)


@dataclass(slots=True)
class Patience:
    """Of one message: whether a failure is followed by another attempt, and after how long."""

    clock: Clock
    limit: timedelta = PATIENCE
    attempts: int = ATTEMPTS
    failures: int = 0
    own_failures: int = 0
    """Failures that looked like the message's own fault: an outage in between must not use up its attempts."""
    failing_since: float | None = None

    def pause(self, error: BaseException) -> float | None:
        """Seconds until the next attempt, or None when there is none."""
        self.failures += 1
        if not is_away(error) and not self._worth_another(error):
            return None
        # With every connection in use there is no end of an outage to wait for, and the next is free within moments.
        doublings = 0 if isinstance(error, DatabaseBusy) else min(self.failures - 1, 30)
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**doublings)
        return random.uniform(longest / 2, longest)  # noqa: S311 (so that partitions do not return in step)

    def _worth_another(self, error: BaseException) -> bool:
        if isinstance(error, Reject | MalformedMessage):
            return False
        if may_pass(error):
            now = self.clock.monotonic()
            self.failing_since = now if self.failing_since is None else self.failing_since
            return now - self.failing_since < self.limit.total_seconds()
        self.own_failures += 1
        return self.own_failures < self.attempts


class OnlyWhileAway(Patience):
    """Of a batch, which is rather divided than tried again; and of a burial, which is never given up."""

    def _worth_another(self, error: BaseException) -> bool:
        return False
