"""Where indexes lie: each bundle's in a folder or Qdrant collection of its own, ``NAME--VERSION``."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from typing_extensions import override

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.indexes import BundleVersion
from services.search.settings import SearchSettings
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.port import CaseIndex

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

    from services.search.vector_store.server.collection_config import ServerOptions


class Engine(Protocol):
    """Makes, opens and removes indexes of one engine."""

    def open(self, manifest: BundleManifest) -> CaseIndex:
        """The index of a bundle, made where it is not there; raises `Conflict`, `Unavailable`."""

    def tell_live(self, version: BundleVersion) -> None:
        """Let other readers of the engine know which index is live."""

    def remove(self, version: BundleVersion) -> None:
        """Remove an index that is closed, with all its cases; passed over where it is not there."""


class EdgeEngine(Engine):
    """Folders of one folder, each opened by this process alone."""

    def __init__(self, folder: Path, name: str, reserve_bytes: int) -> None:
        self._folder, self._name, self._reserve = folder, name, reserve_bytes

    @override
    def open(self, manifest: BundleManifest) -> CaseIndex:
        clinical = np.array(manifest.clinical_weights, np.float64)
        return EdgeIndex(self._of(manifest.version), clinical, reserve_bytes=self._reserve)

    @override
    def tell_live(self, version: BundleVersion) -> None:
        """There are no other readers."""

    @override
    def remove(self, version: BundleVersion) -> None:
        shutil.rmtree(self._of(version), ignore_errors=True)

    def _of(self, version: BundleVersion) -> Path:
        return self._folder / f"{self._name}--{version}"


class ServerEngine(Engine):
    """Collections of a Qdrant server or cluster; its alias ``NAME`` follows the live one, for who looks at Qdrant."""

    def __init__(self, connect: Callable[[], "QdrantClient"], name: str, options: "ServerOptions") -> None:
        """`connect` gives each index a client of its own."""
        from services.search.vector_store.server.client import Remote  # noqa: PLC0415  a second to import, and not needed without a server

        self._connect, self._name, self._options = connect, name, options
        self._remote = Remote(connect())

    @override
    def open(self, manifest: BundleManifest) -> CaseIndex:
        from services.search.vector_store.server.index import ServerIndex  # noqa: PLC0415  likewise

        clinical = np.array(manifest.clinical_weights, np.float64)
        return ServerIndex(self._connect(), self._name, manifest.version, clinical, self._options)

    @override
    def tell_live(self, version: BundleVersion) -> None:
        from services.search.vector_store.server.index import point_alias  # noqa: PLC0415  likewise

        self._remote.ask(lambda client: point_alias(client, self._name, self._of(version)))

    @override
    def remove(self, version: BundleVersion) -> None:
        self._remote.ask(lambda client: client.delete_collection(self._of(version)))

    def _of(self, version: BundleVersion) -> str:
        return f"{self._name}--{version}"


def engine_of(settings: SearchSettings) -> Engine:
    """The engine that the settings ask for."""
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
