"""Composition root of the projector's API."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from casekin.clients import EncoderClient, SearchClient
from casekin.service.app import create_service
from casekin.service.audit import AuditLog
from services.projector.api.cases import case_routes
from services.projector.api.dimensions import dimension_routes
from services.projector.api.jobs import job_routes
from services.projector.api.maps import map_routes
from services.projector.api.submission import JobSubmission
from services.projector.deletion.case_purge import CasePurge
from services.projector.jobs.broker import Publisher, create_celery
from services.projector.jobs.heartbeat import Heartbeat, connect
from services.projector.jobs.reaper import Reaper
from services.projector.jobs.store import JobStore
from services.projector.latents.collection_latents import CollectionReader
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.projection.map_store import MapStore
from services.projector.settings import ProjectorSettings
from services.projector.storage.deletion_mark import DeletionMark
from services.projector.storage.dimension_names import DimensionNameStore
from services.projector.storage.job_results import JobResults
from services.projector.tasks.handler import AnyHandler, SubmissionTools
from services.projector.tasks.registry import HANDLERS, job_kinds


def create_app(settings: ProjectorSettings, handlers: Sequence[AnyHandler] = HANDLERS) -> FastAPI:
    """The job API; ready when Redis answers."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    redis = connect(settings.redis_url)
    store, heartbeat = JobStore(redis, settings), Heartbeat(redis, settings.lease_s)
    results = JobResults(settings.folder, settings.result_lifetime_s)
    maps, deletions = MapStore(settings.folder, settings.maps_kept), DeletionMark(settings.folder)
    kinds = job_kinds(handlers, settings)
    publisher = Publisher(create_celery(settings, kinds), kinds)
    search = SearchClient(settings.search_url, api_key=key)
    encoder = EncoderClient(settings.encoder_url, api_key=key)
    manifests, audit = ManifestCache(encoder), AuditLog(settings.audit_file)
    tools = SubmissionTools(search, manifests, maps, results, settings.next_encoder_url)
    submission = JobSubmission(store, publisher, {handler.payload: handler for handler in handlers}, tools)
    reaper = Reaper(store, results, publisher, kinds, patience_s=2 * settings.sweep_s)
    summaries = frozenset(handler.name for handler in handlers if handler.summarises_work)
    reader = CollectionReader(settings.folder, search, deletions)
    purge = CasePurge(search, reader, maps, results, store, deletions, summaries)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loops = asyncio.gather(reaper.run(settings.sweep_s), purge.run(settings.reconcile_s))
        yield
        loops.cancel()
        with suppress(asyncio.CancelledError):
            await loops
        for part in (publisher, search, encoder, store, audit):
            part.close()

    routers = [
        job_routes(submission, store, results, heartbeat, handlers, kinds),
        map_routes(maps),
        case_routes(purge, audit),
        dimension_routes(DimensionNameStore(settings.folder / "names"), manifests, audit),
    ]
    return create_service("projector", settings, routers, ready=store.ping, lifespan=lifespan)
