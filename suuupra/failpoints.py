"""Named points at which a test may kill this very process, to prove what survives it.

`SUUUPRA_FAILPOINTS=relay.sent` kills the process (SIGKILL: nothing is flushed, closed or rolled back by us) the
first time it reaches `hit("relay.sent")`; `relay.sent:3` the third time; `relay.sent=SIGSTOP` freezes it there instead,
until somebody sends SIGCONT; several are separated by commas. Without the variable a hit is one look into an empty
dict. The variable is read once, at import, and the operator refuses to set variables that start with SUUUPRA_, so
that a resource cannot arm one.

The points there are:

| name                    | between                                                                       |
| ----------------------- | ----------------------------------------------------------------------------- |
| `relay.fetched`         | the events are committed and read, none has been sent to Kafka                |
| `relay.sent`            | Kafka has acknowledged the events, the outbox does not know yet               |
| `consumer.handled`      | the effect is committed; the offset is not, what waited for it is not released |
| `consumer.buried`       | the dead letter is in Kafka, the inbox does not know yet                      |
| `idempotency.effect`    | the effect and its answer are written, not committed                          |
| `idempotency.committed` | both are committed, the caller has no answer                                  |
| `payments.recorded`     | what happened to a payment is written with all that follows, not committed    |
| `courier.sent`          | a letter of any kind was answered, its row does not say so yet                |
| `mail.claimed`          | it is committed that a mail is about to be sent, its server has heard nothing |
| `mail.taken`            | the mail server has taken it, that is not noted                               |
| `ledger.written`        | the ledger's journals are written, not committed                              |
| `courier.sending.API`   | the message is committed with what it tells, and was not sent                 |
| `courier.sent.API`      | it was sent, maybe acknowledged; nothing of that is noted                     |
| `switch.API-TYPE.handled`, `.committed`   | the switch has handled a message, not committed; committed, not acknowledged |
| `bank.LEG.booked`, `.committed` | a bank has done a leg, not committed; committed, not acknowledged |
| `operator.WRITE`, `.allowed` | a write of the operator was answered (of a child: `operator.WRITE.KIND`, too); the API server has said that a write elsewhere is the operator's to do, and nothing of it was sent |
"""

import os
import signal
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "SUUUPRA_FAILPOINTS"


@dataclass
class _Point:
    """Hits that are left until the signal is sent."""

    left: int
    sent: signal.Signals


def _armed(text: str) -> dict[str, _Point]:
    """By name: what is armed."""
    found: dict[str, _Point] = {}
    for item in filter(None, text.split(",")):
        where, _, sent = item.strip().partition("=")
        name, _, count = where.partition(":")
        found[name] = _Point(int(count or 1), signal.Signals[sent or "SIGKILL"])
    return found


_points = _armed(os.environ.get(VARIABLE, ""))


def hit(name: str) -> None:
    """Kill or freeze this process when the point is armed and due."""
    point = _points.get(name)
    if point is not None:
        point.left -= 1
        if point.left == 0:
            os.kill(os.getpid(), point.sent)
