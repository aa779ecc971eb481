"""Opens indexes: each bundle's in a folder or Qdrant collection of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from typing_extensions import override

from casekin.contracts.base import BundleVersion
from casekin.contracts.bundle import BundleManifest
from services.search.settings import SearchSettings
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.port import CaseIndex, index_name

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

    from services.search.vector_store.server.collection_config import ServerOptions


class Engine(Protocol):
    """Creates, opens and removes the indexes of one engine."""

    def open(self, manifest: BundleManifest) -> CaseIndex:
        """The index of a bundle, created if there is none; raises `Conflict`, `Unavailable`."""

    def announce_live(self, version: BundleVersion) -> None:
        """Show other readers of the engine which index is live."""

    def remove(self, version: BundleVersion) -> None:
        """Remove a closed index with all its cases; does nothing if there is none."""


class EdgeEngine(Engine):
    """Subfolders of one folder, each opened by this process alone."""

    def __init__(self, folder: Path, name: str, reserve_bytes: int) -> None:
        self._folder, self._name, self._reserve = folder, name, reserve_bytes

    @override
    def open(self, manifest: BundleManifest) -> CaseIndex:
        clinical = np.array(manifest.clinical_weights, np.float64)
        return EdgeIndex(self._path(manifest.version), clinical, reserve_bytes=self._reserve)

    @override
    def announce_live(self, version: BundleVersion) -> None:
        """There are no other readers."""

    @override
    def remove(self, version: BundleVersion) -> None:
        shutil.rmtree(self._path(version), ignore_errors=True)

    def _path(self, version: BundleVersion) -> Path:
        return self._folder / index_name(self._name, version)


class ServerEngine(Engine):
    """Collections of a Qdrant server or cluster; its alias ``NAME`` points to the live one, for people and tools."""

    def __init__(self, connect: Callable[[], "QdrantClient"], name: str, options: "ServerOptions") -> None:
        """`connect` opens a client for each index."""
        from services.search.vector_store.server.client import Remote  # noqa: PLC0415  a second to import, and not needed without a server

        self._connect, self._name, self._options = connect, name, options
        self._remote = Remote(connect())

    @override
    def open(self, manifest: BundleManifest) -> CaseIndex:
        from services.search.vector_store.server.index import ServerIndex  # noqa: PLC0415  likewise

        clinical = np.array(manifest.clinical_weights, np.float64)
        return ServerIndex(self._connect(), self._name, manifest.version, clinical, self._options)

    @override
    def announce_live(self, version: BundleVersion) -> None:
        from services.search.vector_store.server.index import point_alias  # noqa: PLC0415  likewise

        self._remote.call(lambda client: point_alias(client, self._name, index_name(self._name, version)))

    @override
    def remove(self, version: BundleVersion) -> None:
        self._remote.call(lambda client: client.delete_collection(index_name(self._name, version)))


def engine_of(settings: SearchSettings) -> Engine:
    """The engine that the settings name."""
    if settings.qdrant_url is None:
        reserve = settings.reserve_mb * 1_000_000
        return EdgeEngine(settings.data / "index", settings.collection, reserve_bytes=reserve)
    from qdrant_client import QdrantClient  # noqa: PLC0415  likewise

    from services.search.vector_store.server.collection_config import ServerOptions  # noqa: PLC0415  likewise

    key = settings.qdrant_api_key

    def connect() -> QdrantClient:
        return QdrantClient(
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
    return ServerEngine(connect, settings.collection, options)
