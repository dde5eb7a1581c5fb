"""The dashboard: pages for people who would rather look than read, over the same store as the endpoints.

Enters: a browser's request. Leaves: HTML without scripts of its own (htmx alone, served from here) and SVG charts.
Reads the store, ``requests`` and ``answers``; nothing else of the service reads it.
"""

from api.dashboard.actions import router as actions
from api.dashboard.pages import router as pages
from api.dashboard.reference import router as reference

__all__ = ["actions", "pages", "reference"]
