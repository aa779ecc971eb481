"""Runs a service: the one line that reads the environment lives in each service's ``__main__``."""

import gc
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from casekin.service.settings import ServiceSettings


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve `app` until it is stopped; requests in flight get ten seconds."""
    sys.setswitchinterval(0.001)  # the event loop shares the GIL with threads at work and must not wait long for it
    gc.freeze()  # what is loaded by now lives as long as the process: no collection need look at it again
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
    print(f"casekin: {_one_line(error)}", file=sys.stderr)
    return 2


def _one_line(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    # Never the values: the key is among them.
    faults = ((".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_input=False))
    worded = ((where, message.removeprefix("Value error, ")) for where, message in faults)
    return "; ".join(f"{where}: {message}" if where else message for where, message in worded)
