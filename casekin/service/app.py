"""The frame of a service: health, readiness, metrics, request log, problem documents, API key."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator

from casekin import __version__
from casekin.contracts.problem import Problem
from casekin.errors import CasekinError, Unavailable
from casekin.service.auth import require_key
from casekin.service.logs import RequestLog, configure_logs
from casekin.service.problems import install_problems
from casekin.service.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
ReadyCheck = Callable[[], str | None]
"""Returns what is degraded, if anything; raises a `CasekinError` where the service cannot do its work."""


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def create_service(
    name: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    *,
    ready: ReadyCheck,
    lifespan: Lifespan = _nothing,
) -> FastAPI:
    """A FastAPI application with `routers` under ``/v1`` behind the API key.

    ``/health`` answers while the process lives; ``/ready`` calls `ready`;
    ``/metrics`` is for Prometheus. These three need no key and tell nothing of patients.
    """
    configure_logs(settings.log_level)
    app = FastAPI(
        title=f"Casekin {name}",
        version=__version__,
        lifespan=lifespan,
        responses={"default": {"model": Problem, "description": "A problem document, RFC 9457"}},
    )
    app.add_middleware(RequestLog, service=name)
    install_problems(app)
    app.include_router(_probes(ready))
    for router in routers:
        app.include_router(router, prefix="/v1", dependencies=[Depends(require_key(settings))])
    _install_metrics(app)
    return app


def _install_metrics(app: FastAPI) -> None:
    # A registry of its own: in the global one only the first application of a process would be counted.
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    meter = Instrumentator(excluded_handlers=["/health", "/ready", "/metrics"], registry=registry)
    meter.instrument(app).expose(app, include_in_schema=False)


def _probes(ready: ReadyCheck) -> APIRouter:
    router = APIRouter(tags=["probes"])

    @router.get("/health")
    def health() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @router.get("/ready")
    def readiness() -> dict[str, Any]:
        """The service can do its work, if with something `degraded`; 503 says what is missing."""
        try:
            degraded = ready()
        except CasekinError as error:
            raise Unavailable(error.detail, retry_after_s=2) from error
        return {"status": "ready", "degraded": degraded} if degraded else {"status": "ready"}

    return router
