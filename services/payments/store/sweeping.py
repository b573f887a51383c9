"""What payments forgets: what was said over rails and to webhooks. Payments and their events stay for ever."""

from datetime import timedelta

from suuupra.sweeping import Swept

_MESSAGES = Swept("rail_message", "settled_at")
_RECEIVED = Swept("rail_received", "received_at")
_DELIVERIES = Swept("webhook_delivery", "created_at", "t.state <> 'waiting'")  # with their tries
_ANNOUNCED = Swept(
    "webhook_message",
    "created_at",
    "NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.message_id = t.id)",
)


def ages(messages: timedelta) -> dict[Swept, timedelta]:
    """How long each is kept: messages that nobody waits for, so long."""
    return dict.fromkeys((_MESSAGES, _RECEIVED, _DELIVERIES, _ANNOUNCED), messages)
