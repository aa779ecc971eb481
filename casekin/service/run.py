"""Runs a service: the one line that reads the environment lives in each service's ``__main__``."""

import sys

import uvicorn
from fastapi import FastAPI

from casekin.service.settings import ServiceSettings


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve `app` until it is told to stop; in-flight requests get ten seconds."""
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def refuse(error: Exception) -> int:
    """Say on standard error, in one line, why a service does not start; returns the exit status."""
    print(f"casekin: {error}", file=sys.stderr)
    return 2
