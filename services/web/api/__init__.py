"""The pages' addresses, the cookies, and how the pages write things."""

from services.web.api import account, cart, checkout, inbox, orders, reading, sessions
from services.web.api.pages import PAGES, templates
from services.web.api.sessions import lead_to_sign_in

ROUTERS = tuple(part.router for part in (reading, sessions, cart, checkout, orders, account, inbox))

__all__ = ["PAGES", "ROUTERS", "lead_to_sign_in", "templates"]
