"""The composition root of search."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from casekin.bundle import read_manifest
from casekin.service.app import create_service
from casekin.service.audit import AuditLog
from services.search.api.cases import case_routes
from services.search.api.dependencies import ChangeThreads, Dependencies
from services.search.api.indexes import index_routes
from services.search.api.search import search_routes
from services.search.api.snapshots import snapshot_routes
from services.search.indexing.backfill import Backfill
from services.search.indexing.deleter import Deleter
from services.search.indexing.registry import IndexRegistry
from services.search.indexing.registry_state import RegistryStore
from services.search.indexing.snapshots import Snapshots
from services.search.indexing.writer import Writer
from services.search.settings import SearchSettings
from services.search.storage.blob_store import BlobStore
from services.search.storage.collection_info import CollectionInfoStore
from services.search.storage.image_store import ImageStore
from services.search.storage.shared_lock import ChangeLock
from services.search.vector_store.disk_reserve import DiskReserve
from services.search.vector_store.factory import Engine, engine_of


def create_app(settings: SearchSettings) -> FastAPI:
    """The service with its indexes open; raises `BundleRefused`, `Conflict` or `Unavailable`."""
    return serve(assemble(settings, engine_of(settings)), settings)


def serve(parts: Dependencies, settings: SearchSettings) -> FastAPI:
    """The service over `parts`, once the deletions that a crash cut short are complete."""
    parts.deleter.finish()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        parts.indexes.close()
        parts.audit.close()

    def ready() -> str | None:
        parts.indexes.live().cases.revision()
        parts.collection_info.read()
        return parts.collection_info.fault

    routers = [search_routes(parts), case_routes(parts), index_routes(parts), snapshot_routes(parts)]
    return create_service("search", settings, routers, ready=ready, lifespan=lifespan)


def assemble(settings: SearchSettings, engine: Engine) -> Dependencies:
    """Everything that the routes need, with all indexes open; raises as `create_app`."""
    manifest = read_manifest(settings.bundle)
    blobs = BlobStore(settings.images_url or str(settings.data / "images"))
    images = ImageStore(blobs)
    collection_info = CollectionInfoStore(blobs, fallback_title=settings.collection)
    changing = ChangeLock(blobs.lock("locks/changes"))
    indexes = IndexRegistry(engine, RegistryStore(blobs), collection_info, manifest, changing)
    snapshots = Snapshots(indexes, images, collection_info, blobs)
    deleter = Deleter(indexes, images, blobs, snapshots)
    return Dependencies(
        indexes=indexes,
        images=images,
        collection_info=collection_info,
        writer=Writer(indexes, images, deleter, _disk_reserve(settings)),
        deleter=deleter,
        backfill=Backfill(indexes, images),
        snapshots=snapshots,
        changes=ChangeThreads(),
        audit=AuditLog(settings.audit_file),
        batch_bytes=settings.batch_mb * 1_000_000,
    )


def _disk_reserve(settings: SearchSettings) -> DiskReserve:
    """The reserve of the data folder, or none if neither the index nor the images are in it."""
    is_local = settings.qdrant_url is None or settings.images_url is None
    return DiskReserve(settings.data, settings.reserve_mb * 1_000_000 if is_local else 0)
