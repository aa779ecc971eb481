"""The composition root of search."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from casekin.bundle import read_manifest
from casekin.service.app import create_service
from casekin.service.audit import AuditLog
from services.search.api.dependencies import Parts
from services.search.api.indexes import index_routes
from services.search.api.search import case_routes, search_routes
from services.search.api.snapshots import snapshot_routes
from services.search.indexing.backfill import Filler
from services.search.indexing.deleter import Deleter
from services.search.indexing.registry import Indexes
from services.search.indexing.registry_state import Records
from services.search.indexing.snapshots import Snapshots
from services.search.indexing.writer import Writer
from services.search.settings import SearchSettings
from services.search.storage.blob_store import Blobs
from services.search.storage.collection_info import Description
from services.search.storage.image_store import ImageStore
from services.search.storage.shared_lock import ChangeLock
from services.search.vector_store.disk_reserve import DiskReserve
from services.search.vector_store.factory import Engine, engine_of


def create_app(settings: SearchSettings) -> FastAPI:
    """The service with its indexes open; raises `BundleRefused`, `Conflict` or `Unavailable`."""
    return serve(make_parts(settings, engine_of(settings)), settings)


def serve(parts: Parts, settings: SearchSettings) -> FastAPI:
    """The service over parts that are made."""
    parts.deleter.finish()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        parts.indexes.close()
        parts.audit.close()

    def ready() -> None:
        parts.indexes.live().cases.revision()

    routers = [search_routes(parts), case_routes(parts), index_routes(parts), snapshot_routes(parts)]
    return create_service("search", settings, routers, ready=ready, lifespan=lifespan)


def make_parts(settings: SearchSettings, engine: Engine) -> Parts:
    """What the routes need, with all indexes open; raises as `create_app`."""
    manifest = read_manifest(settings.bundle)
    blobs = Blobs(settings.images_url or str(settings.data / "images"))
    images = ImageStore(blobs)
    description = Description(blobs, fallback_title=settings.collection)
    changing = ChangeLock(blobs.lock("locks/changes"))
    indexes = Indexes(engine, Records(blobs), description, manifest, changing)
    snapshots = Snapshots(indexes, images, description, blobs)
    deleter = Deleter(indexes, images, blobs, snapshots)
    return Parts(
        indexes=indexes,
        images=images,
        description=description,
        writer=Writer(indexes, images, deleter, _disk_reserve(settings)),
        deleter=deleter,
        filler=Filler(indexes, images),
        snapshots=snapshots,
        audit=AuditLog(settings.audit_file),
        batch_bytes=settings.batch_mb * 1_000_000,
    )


def _disk_reserve(settings: SearchSettings) -> DiskReserve:
    """The reserve of the data folder, or none if neither the index nor the images are in it."""
    is_local = settings.qdrant_url is None or settings.images_url is None
    return DiskReserve(settings.data, settings.reserve_mb * 1_000_000 if is_local else 0)
