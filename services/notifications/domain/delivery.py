"""What becomes of a mail: when it is tried, when again, and when no more.

    waiting ──address known──▶ due ──claimed──▶ sending ──server took it──▶ sent
                                ▲                 │ │ └──server refuses it──▶ refused
                                └──server away────┘ └──sender died: the claim ends, due again
    due ──the reader chose not to be told──▶ unwanted    due ──is off, and the reader chose nothing──▶ off
    waiting, due ──too old──▶ expired

**At least once.** That a mail is about to be sent is committed before the server hears of it, and that it was sent
after the server has taken it. A sender that dies in between, or loses the server's answer, cannot know; the mail is
sent again when its claim ends, under the same Message-ID (RFC 5322, 3.6.4), by which mailboxes that look at it show it
once. So it is when a sender stalls for longer than its claim. Never sending again would lose receipts. In every other
case a mail is sent exactly once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

State = Literal["waiting", "due", "sending", "sent", "refused", "unwanted", "off", "expired"]

CLAIM: Final = timedelta(minutes=2)
"""How long a sender may take; many times longer than the server's time limit."""
KEEP_TRYING: Final = timedelta(days=3)
"""How long a mail is worth sending (RFC 5321, 4.5.4.1 asks for 4 to 5 days of a server; a receipt is stale before)."""
FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Again:
    """Try again at that time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Never:
    """Do not try again; `state` says why."""

    state: State


def after_outage(created_at: datetime, attempts: int, now: datetime, spread: float) -> Again | Never:
    """What follows an attempt that the server was not there for. `spread`, 0 to 1, parts those who return."""
    if now - created_at >= KEEP_TRYING:
        return Never("expired")
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 16))
    return Again(now + pause * (0.5 + spread / 2))


def message_id(mail_id: object, domain: str) -> str:
    """The Message-ID of a mail: the same however often it is sent."""
    return f"<{mail_id}@{domain}>"
