"""How often a message is tried: outages never use up its attempts, its own faults do, bad luck gets some time."""

import errno
import smtplib
from datetime import timedelta

import httpx
import pytest
import redis.exceptions
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from suuupra.clock import FakeClock
from suuupra.db import ConstraintBroken, DatabaseBusy, DatabaseUnavailable, StatementEnded
from suuupra.errors import TooManyRequests, Unavailable
from suuupra.events import MalformedMessage
from suuupra.inbox import ATTEMPTS, Reject, Retry
from suuupra.kafka import KafkaUnavailable
from suuupra.migrations import SchemaOutdated
from suuupra.objects import ObjectsUnavailable
from suuupra.patience import FIRST_PAUSE, LONGEST_PAUSE, OnlyWhileAway, Patience, is_away


def answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://peer.test")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(status, request=request))


AWAY = [
    DatabaseUnavailable("away"),
    DatabaseBusy("full"),
    SchemaOutdated("a migration is due"),
    ObjectsUnavailable("away"),
    KafkaUnavailable("away"),
    Unavailable("a peer's own words"),
    TooManyRequests("slower"),
    KafkaConnectionError(),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    *(answered(status) for status in (429, 502, 503, 504)),
    ConnectionRefusedError(),
    TimeoutError(),
    OSError(errno.EHOSTUNREACH, "no route"),
    redis.exceptions.ConnectionError(),
    redis.exceptions.TimeoutError(),
    smtplib.SMTPServerDisconnected(),
    smtplib.SMTPConnectError(421, "busy"),
    smtplib.SMTPDataError(451, "try later"),
]
OWN_FAULT = [
    ValueError("poison"),
    FileNotFoundError(),
    ConstraintBroken("a_rule"),
    answered(400),
    answered(404),
    httpx.UnsupportedProtocol("no scheme"),
    MessageSizeTooLargeError(),
    smtplib.SMTPDataError(554, "refused for ever"),
]


def named(error: Exception) -> str:
    return f"{type(error).__name__} {error}"


@pytest.fixture
def patience(clock: FakeClock) -> Patience:
    return Patience(clock, timedelta(minutes=15), ATTEMPTS)


@pytest.mark.parametrize("error", AWAY, ids=named)
def test_an_outage_is_waited_for_however_long_it_lasts(
    clock: FakeClock, patience: Patience, error: Exception
) -> None:
    for _ in range(200):
        assert patience.pause(error) is not None
        clock.advance(timedelta(hours=1))
    assert OnlyWhileAway(clock).pause(error) is not None


@pytest.mark.parametrize("error", OWN_FAULT, ids=named)
def test_an_error_of_the_messages_own_is_tried_three_times(patience: Patience, error: Exception) -> None:
    assert not is_away(error)
    assert [patience.pause(error) is None for _ in range(ATTEMPTS)] == [False, False, True]


@pytest.mark.parametrize("error", [Retry("later"), StatementEnded("slow"), answered(500)], ids=named)
def test_what_may_pass_is_tried_for_a_time_and_not_a_number_of_times(
    clock: FakeClock, patience: Patience, error: Exception
) -> None:
    for _ in range(100):
        assert patience.pause(error) is not None
    clock.advance(timedelta(minutes=14))
    assert patience.pause(error) is not None
    clock.advance(timedelta(minutes=1))
    assert patience.pause(error) is None


@pytest.mark.parametrize("error", [Reject("never"), MalformedMessage("what is this")], ids=named)
def test_what_can_never_be_handled_is_not_tried_again(patience: Patience, error: Exception) -> None:
    assert patience.pause(error) is None


def test_an_outage_in_between_does_not_use_up_a_messages_attempts(patience: Patience) -> None:
    for _ in range(50):
        patience.pause(ConnectionRefusedError())
    assert [patience.pause(ValueError()) is None for _ in range(ATTEMPTS)] == [False, False, True]
    assert patience.failures == 50 + ATTEMPTS


def test_a_full_pool_is_asked_again_soon_however_often_it_was(patience: Patience) -> None:
    for _ in range(20):
        pause = patience.pause(DatabaseBusy("full"))
        assert pause is not None
        assert pause <= FIRST_PAUSE


def test_pauses_double_up_to_the_longest(patience: Patience) -> None:
    pauses = [patience.pause(ConnectionRefusedError()) for _ in range(12)]
    for number, pause in enumerate(pauses):
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number)
        assert pause is not None
        assert longest / 2 <= pause <= longest
    assert pauses[-1] is not None
    assert pauses[-1] >= LONGEST_PAUSE / 2
