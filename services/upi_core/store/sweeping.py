"""What the switch forgets: what was said, what phones were asked, what counted against past days' limits.

Transactions, their stories and disputes stay.
"""

from datetime import timedelta

from suuupra import messages as kit
from suuupra.sweeping import Swept

_ASKED = Swept("payment_request", "created_at", "t.state <> 'pending'")
_SPENT = Swept("spending", "day")


def ages(messages: timedelta) -> dict[Swept, timedelta]:
    """How long each is kept."""
    return kit.ages(messages) | dict.fromkeys((_ASKED, _SPENT), messages)
