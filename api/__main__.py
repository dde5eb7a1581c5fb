"""``python -m api``: serve on the address that the settings name."""

from __future__ import annotations

import sys

import uvicorn

from api.app import create_app
from api.settings import Settings
from mtnas.errors import SpecError
from mtnas.processes import end_with_parent

SHUTDOWN_S = 3
"""Seconds that open event streams get before they are cut; clients take them up again."""


def main() -> int:
    """Serve until a signal comes."""
    end_with_parent()
    settings = Settings()
    try:
        app = create_app(settings)
    except SpecError as error:
        print(f"mtnas api: {error}", file=sys.stderr)
        return 2
    uvicorn.run(app, host=settings.host, port=settings.port, timeout_graceful_shutdown=SHUTDOWN_S, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
