"""Turns every error into an RFC 9457 problem document; the only place that knows HTTP statuses of errors."""

import errno
from collections.abc import Callable

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from casekin.contracts.base import worded
from casekin.contracts.problem import Problem
from casekin.errors import BadInput, CasekinError, NotFound, StorageFull, Unexpected, WrongLatent, WrongWeights

log = structlog.get_logger("problems")
_CLASS_BY_FIELD: dict[int | str, type[BadInput]] = {
    "latent": WrongLatent,
    "latents": WrongLatent,
    "weights": WrongWeights,
}
"""What a field of that name raises where its type or range is wrong; all others raise `BadInput`."""


def describe(error: CasekinError, request_id: str | None = None) -> Problem:
    """The problem document of an error of the closed list."""
    return Problem(
        type=f"urn:casekin:problem:{error.code}",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        request_id=request_id,
    )


def _answer(request: Request, error: CasekinError) -> JSONResponse:
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else None
    body = describe(error, getattr(request.state, "request_id", None)).model_dump()
    body["detail"] = error.detail.encode(errors="backslashreplace").decode()  # it may quote a lone surrogate
    return JSONResponse(body, error.status, headers, media_type="application/problem+json")


def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CasekinError)
    if error.status >= 500:
        log.warning("problem", code=error.code, detail=error.detail)
    return _answer(request, error)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    lines = []
    for fault in error.errors()[:5]:
        where = ".".join(str(part) for part in fault["loc"] if part not in ("body", "query", "path"))
        lines.append(f"{where or 'request'}: {worded(fault)}")
    first = next((part for part in error.errors()[0]["loc"] if part in _CLASS_BY_FIELD), "")
    return _answer(request, _CLASS_BY_FIELD.get(first, BadInput)("; ".join(lines)))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _answer(request, NotFound(f"no page {request.url.path}"))
    problem = describe(BadInput(str(error.detail)), getattr(request.state, "request_id", None))
    body = problem.model_copy(update={"status": error.status_code}).model_dump()
    return JSONResponse(body, error.status_code, error.headers, media_type="application/problem+json")


def _disk(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _known(
            request, StorageFull(f"no space left on the device ({error.strerror}); free some and send it again")
        )
    return unexpected(request, error)


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """The answer to a bug: the trace goes to the log, its request id to the caller, and nothing else."""
    log.error("unexpected", exc_info=error)
    return _answer(request, Unexpected("the log of the service has the trace under this request id"))


def problem_response(request: Request, error: Exception) -> JSONResponse:
    """The problem document of any error."""
    handler = next((_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS), unexpected)
    return handler(request, error)


_HANDLERS: dict[type, Callable[[Request, Exception], JSONResponse]] = {
    CasekinError: _known,
    RequestValidationError: _invalid,
    HTTPException: _http,
    OSError: _disk,
}


def install_problems(app: FastAPI) -> None:
    """Register the handlers on `app`; what none of them knows reaches `problem_response` in the request frame."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
