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
from services.projector.api.submission import Intake
from services.projector.jobs.broker import Publisher, create_celery
from services.projector.jobs.heartbeat import Presence, connect
from services.projector.jobs.kinds import kinds
from services.projector.jobs.reaper import Sweeper
from services.projector.jobs.store import JobStore
from services.projector.latents.manifest_cache import Models
from services.projector.projection.map_store import Archive
from services.projector.settings import ProjectorSettings
from services.projector.storage.dimension_names import NameBook
from services.projector.storage.job_results import Artefacts


def create_app(settings: ProjectorSettings) -> FastAPI:
    """The job API; ready when Redis answers."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    redis = connect(settings.redis_url)
    store = JobStore(redis, settings)
    artefacts = Artefacts(settings.folder, settings.result_lifetime_s)
    archive = Archive(settings.folder, settings.maps_kept)
    publisher = Publisher(create_celery(settings), settings)
    search = SearchClient(settings.search_url, api_key=key)
    encoder = EncoderClient(settings.encoder_url, api_key=key)
    known = kinds(settings)
    models = Models(encoder)
    intake = Intake(store, artefacts, archive, publisher, search, models, settings.next_encoder_url)
    audit = AuditLog(settings.audit_file)
    sweeper = Sweeper(store, artefacts, publisher, known, patience_s=2 * settings.sweep_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweeper.run(settings.sweep_s))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        for part in (publisher, search, encoder, store, audit):
            part.close()

    routers = [
        create_router(intake, store, artefacts, Presence(redis, settings.lease_s), known),
        map_routes(archive),
        dimension_routes(NameBook(settings.folder / "names"), models, audit),
    ]
    return create_service("projector", settings, routers, ready=store.ping, lifespan=lifespan)
