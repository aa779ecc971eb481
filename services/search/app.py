"""The composition root of search."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from casekin.bundle import read_manifest
from casekin.service.app import create_service
from casekin.service.audit import AuditLog
from services.search.blobs import Blobs
from services.search.deleting import Deleter
from services.search.description import Description
from services.search.engines import Engine, engine_of
from services.search.filling import Filler
from services.search.images import ImageStore
from services.search.index_routes import index_routes
from services.search.indexes import Indexes
from services.search.parts import Parts
from services.search.register import Records
from services.search.routes import case_routes, search_routes
from services.search.settings import SearchSettings
from services.search.snapshot_routes import snapshot_routes
from services.search.snapshots import Snapshots
from services.search.writing import Writer


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
    indexes = Indexes(engine, Records(blobs), description, manifest)
    snapshots = Snapshots(indexes, images, description, blobs)
    return Parts(
        indexes=indexes,
        images=images,
        description=description,
        writer=Writer(indexes, images),
        deleter=Deleter(indexes, images, blobs, snapshots),
        filler=Filler(indexes, images),
        snapshots=snapshots,
        audit=AuditLog(settings.audit_file),
        batch_bytes=settings.batch_mb * 1_000_000,
    )
