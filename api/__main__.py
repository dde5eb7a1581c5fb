"""``python -m api``: serve on the address that the settings name."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.border.connections import PatientlessProtocol
from api.settings import Settings
from mtnas import json_logs
from mtnas.errors import SpecError
from mtnas.processes import end_with_parent

SHUTDOWN_S = 3
"""Seconds that open event streams get before they are cut; clients take them up again."""


def main() -> int:
    """Serve until a signal comes."""
    end_with_parent()
    json_logs.configure()
    settings = Settings()
    try:
        app = create_app(settings)
    except SpecError as error:
        print(f"mtnas api: {error}", file=sys.stderr)
        return 2
    server_of(app, settings).run()
    return 0


def server_of(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The server that hands its requests to the application."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=PatientlessProtocol,
            ws="none",
            forwarded_allow_ips=list(settings.trusted_proxies),
            server_header=False,
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            log_level="warning",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
