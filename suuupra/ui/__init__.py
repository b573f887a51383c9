"""The look every page shares: stylesheets, components, icons, course art, error pages and the headers around them.

Plain server-rendered HTML that works without script and is built by nothing.
"""

from suuupra.ui.assets import assets_of
from suuupra.ui.errors import error_document, error_pages
from suuupra.ui.mounting import mount
from suuupra.ui.origin import require_same_origin
from suuupra.ui.templating import environment, templates

__all__ = [
    "assets_of",
    "environment",
    "error_document",
    "error_pages",
    "mount",
    "require_same_origin",
    "templates",
]
