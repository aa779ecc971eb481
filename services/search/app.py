"""The composition root of search."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from fastapi import FastAPI

from casekin.bundle import read_manifest
from casekin.contracts.bundle import BundleManifest
from casekin.service.app import create_service
from casekin.service.audit import AuditLog
from services.search.blobs import Blobs
from services.search.deleting import Deleter
from services.search.description import Description
from services.search.edge import EdgeIndex
from services.search.images import ImageStore
from services.search.index import CaseIndex
from services.search.parts import Parts
from services.search.routes import case_routes, search_routes
from services.search.searching import Searcher
from services.search.settings import SearchSettings
from services.search.writing import Writer


def create_app(settings: SearchSettings) -> FastAPI:
    """The service with its index open; raises `BundleRefused`, `Conflict` or `Unavailable`."""
    manifest = read_manifest(settings.bundle)
    index = open_index(settings, manifest)
    blobs = Blobs(settings.images_url or str(settings.data / "images"))
    images = ImageStore(blobs)
    description = Description(blobs, fallback_title=settings.collection)
    parts = Parts(
        manifest=manifest,
        index=index,
        images=images,
        description=description,
        searcher=Searcher(index, manifest, description),
        writer=Writer(index, images, manifest),
        deleter=Deleter(index, images, blobs),
        audit=AuditLog(settings.audit_file),
        batch_bytes=settings.batch_mb * 1_000_000,
    )

    parts.deleter.finish()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        index.close()
        parts.audit.close()

    def ready() -> None:
        index.revision()

    return create_service(
        "search", settings, [search_routes(parts), case_routes(parts)], ready=ready, lifespan=lifespan
    )


def open_index(settings: SearchSettings, manifest: BundleManifest) -> CaseIndex:
    """The engine that the settings ask for."""
    clinical = np.array(manifest.clinical_weights, np.float64)
    if settings.qdrant_url is None:
        folder = settings.data / "index" / f"{settings.collection}--{manifest.version}"
        return EdgeIndex(folder, clinical, reserve_bytes=settings.reserve_mb * 1_000_000)
    from qdrant_client import QdrantClient  # noqa: PLC0415  a second to import, and not needed without a server

    from services.search.server import ServerIndex  # noqa: PLC0415
    from services.search.server_options import ServerOptions  # noqa: PLC0415

    key = settings.qdrant_api_key
    client = QdrantClient(
        url=settings.qdrant_url,
        grpc_port=settings.qdrant_grpc_port,
        prefer_grpc=True,
        api_key=key.get_secret_value() if key else None,
        timeout=settings.qdrant_timeout_s,
    )
    options = ServerOptions(
        shards=settings.qdrant_shards,
        replicas=settings.qdrant_replicas,
        write_consistency=settings.qdrant_write_consistency,
        on_disk=settings.qdrant_on_disk,
        quantisation=settings.qdrant_quantisation,
    )
    return ServerIndex(client, settings.collection, manifest.version, clinical, options)
