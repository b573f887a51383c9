"""The pages' addresses, the cookies, and how the pages write things."""

from services.web.api import (
    account,
    cart,
    checkout,
    inbox,
    orders,
    preferences,
    reading,
    sessions,
    support,
)
from services.web.api.pages import PAGES, templates
from services.web.api.sessions import lead_to_sign_in

_PARTS = (reading, sessions, cart, checkout, orders, account, inbox, preferences, support)
ROUTERS = tuple(part.router for part in _PARTS)

__all__ = ["PAGES", "ROUTERS", "lead_to_sign_in", "templates"]
