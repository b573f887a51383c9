"""Named points at which a test may kill this very process, to prove what survives it.

`SUUUPRA_FAILPOINTS=relay.sent` kills the process (SIGKILL: nothing is flushed, closed or rolled back by us) the
first time it reaches `hit("relay.sent")`; `relay.sent:3` the third time; several are separated by commas. Without
the variable a hit is one look into an empty dict. The variable is read once, at import, and the operator refuses
to set variables that start with SUUUPRA_, so that a resource cannot arm one.

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
| `ledger.written`        | the ledger's journals are written, not committed                              |
| `courier.sending.API`   | the message is committed with what it tells, and was not sent                 |
| `courier.sent.API`      | it was sent, maybe acknowledged; nothing of that is noted                     |
| `switch.API-TYPE.handled`, `.committed`   | the switch has handled a message, not committed; committed, not acknowledged |
| `bank.LEG.booked`, `.committed` | a bank has done a leg, not committed; committed, not acknowledged |
"""

import os
import signal
from typing import Final

VARIABLE: Final = "SUUUPRA_FAILPOINTS"


def _armed(text: str) -> dict[str, int]:
    """Name of each armed point → how many hits are left until it kills."""
    pairs = (item.partition(":") for item in text.split(",") if item)
    return {name.strip(): int(count or 1) for name, _, count in pairs}


_remaining = _armed(os.environ.get(VARIABLE, ""))


def hit(name: str) -> None:
    """Kill this process when the point is armed and due."""
    if name in _remaining:
        _remaining[name] -= 1
        if _remaining[name] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
