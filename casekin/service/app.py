"""The frame of a service: health, readiness, metrics, request log, problem documents, API key."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST

from casekin import __version__
from casekin.contracts.problem import Problem
from casekin.errors import CasekinError, Unavailable
from casekin.service.auth import key_check, require_key
from casekin.service.direct import direct_routes
from casekin.service.frame import RequestFrame
from casekin.service.logs import configure_logs
from casekin.service.metrics import Metrics
from casekin.service.problems import install_problems
from casekin.service.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
ReadyCheck = Callable[[], str | None]
"""Returns what is degraded, if anything; raises a `CasekinError` where the service cannot do its work."""
_PREFIX = "/v1"


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
    ``/metrics`` is for Prometheus. These three need no key and contain no patient data.
    """
    configure_logs(settings.log_level)
    metrics, check = Metrics(), key_check(settings)
    app = FastAPI(
        title=f"Casekin {name}",
        version=__version__,
        lifespan=lifespan,
        responses={"default": {"model": Problem, "description": "A problem document, RFC 9457"}},
    )
    app.add_middleware(
        RequestFrame,
        service=name,
        metrics=metrics,
        direct=direct_routes(routers, _PREFIX),
        check_key=check,
        paths=_paths(routers),
    )
    install_problems(app)
    app.include_router(_probes(ready, metrics))
    for router in routers:
        app.include_router(router, prefix=_PREFIX, dependencies=[Depends(require_key(check))])
    return app


def _paths(routers: Sequence[APIRouter]) -> dict[int, str]:
    """By ``id`` of a route, its path template with the prefix, which routes of an included router do not know."""
    routes = ((router, route) for router in routers for route in router.routes if isinstance(route, APIRoute))
    return {id(route): f"{_PREFIX}{router.prefix}{route.path}" for router, route in routes}


def _probes(ready: ReadyCheck, metrics: Metrics) -> APIRouter:
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

    @router.get("/metrics", include_in_schema=False)
    def show_metrics() -> Response:
        """Counts and durations, for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router
