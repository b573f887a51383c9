"""A migration waits for a server that is away, and for no other."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from suuupra.migrations import NotConnected, schema

REFUSED = "connection to server at 10.0.0.1, port 5432 failed: Connection refused"
STARTING = "connection failed: FATAL:  the database system is starting up"
WRONG = 'connection failed: FATAL:  password authentication failed for user "shop"'


class Server(SimpleNamespace):
    """An engine whose server says these things before it lets somebody in."""

    url = SimpleNamespace(host="postgres")

    def __init__(self, *says: str) -> None:
        super().__init__()
        self.says = list(says)

    def connect(self) -> Any:
        if self.says:
            raise OperationalError("", None, Exception(self.says.pop(0)))
        return "connected"


def reached(server: Server) -> Any:
    return schema._reached(cast("Engine", server))


def test_a_server_that_is_away_or_just_starting_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    assert reached(Server(REFUSED, STARTING)) == "connected"
    assert [record.getMessage() for record in caplog.records] == [
        f"waiting up to 0:10:00 for PostgreSQL: {REFUSED}"
    ]


def test_what_a_server_refuses_for_good_is_told_at_once() -> None:
    server = Server(WRONG, REFUSED)
    with pytest.raises(NotConnected, match="password authentication failed"):
        reached(server)
    assert server.says == [REFUSED]


def test_a_server_that_stays_away_is_told_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "AWAY_LIMIT", timedelta())
    with pytest.raises(NotConnected, match="Connection refused"):
        reached(Server(REFUSED, REFUSED))
