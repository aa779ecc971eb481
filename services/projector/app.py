"""Composition root of the projector's API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from casekin.clients import EncoderClient, SearchClient
from casekin.service.app import create_service
from casekin.service.audit import AuditLog
from services.projector.archive import Archive
from services.projector.artefacts import Artefacts
from services.projector.celery_app import Publisher, create_celery
from services.projector.dimensions import dimension_routes
from services.projector.intake import Intake
from services.projector.jobs import JobStore
from services.projector.kinds import kinds
from services.projector.models import Models
from services.projector.names import NameBook
from services.projector.presence import Presence, connect
from services.projector.routes import create_router, map_routes
from services.projector.settings import ProjectorSettings
from services.projector.sweeping import Sweeper


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
