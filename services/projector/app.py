"""Composition root of the projector's API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from casekin.clients import EncoderClient, SearchClient
from casekin.service.app import create_service
from casekin.service.audit import AuditLog
from services.projector.api.dimensions import dimension_routes
from services.projector.api.jobs import create_router, map_routes
from services.projector.api.submission import JobSubmission
from services.projector.jobs.broker import Publisher, create_celery
from services.projector.jobs.heartbeat import Heartbeat, connect
from services.projector.jobs.kinds import kinds
from services.projector.jobs.reaper import Reaper
from services.projector.jobs.store import JobStore
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.projection.map_store import MapStore
from services.projector.settings import ProjectorSettings
from services.projector.storage.dimension_names import DimensionNameStore
from services.projector.storage.job_results import JobResults


def create_app(settings: ProjectorSettings) -> FastAPI:
    """The job API; ready when Redis answers."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    redis = connect(settings.redis_url)
    store = JobStore(redis, settings)
    results = JobResults(settings.folder, settings.result_lifetime_s)
    maps = MapStore(settings.folder, settings.maps_kept)
    publisher = Publisher(create_celery(settings), settings)
    search = SearchClient(settings.search_url, api_key=key)
    encoder = EncoderClient(settings.encoder_url, api_key=key)
    known = kinds(settings)
    manifests = ManifestCache(encoder)
    submission = JobSubmission(store, results, maps, publisher, search, manifests, settings.next_encoder_url)
    audit = AuditLog(settings.audit_file)
    reaper = Reaper(store, results, publisher, known, patience_s=2 * settings.sweep_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(reaper.run(settings.sweep_s))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        for part in (publisher, search, encoder, store, audit):
            part.close()

    routers = [
        create_router(submission, store, results, Heartbeat(redis, settings.lease_s), known),
        map_routes(maps),
        dimension_routes(DimensionNameStore(settings.folder / "names"), manifests, audit),
    ]
    return create_service("projector", settings, routers, ready=store.ping, lifespan=lifespan)
