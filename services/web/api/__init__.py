"""The pages' addresses, the visitor's cookie, and how the pages write things."""

from services.web.api.routes import PAGES, router, templates

__all__ = ["PAGES", "router", "templates"]
