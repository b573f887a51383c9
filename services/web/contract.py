"""What other services may know of web: nothing calls it, and it publishes nothing."""

from suuupra.events import Event

EVENTS: tuple[type[Event], ...] = ()
