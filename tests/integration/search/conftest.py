"""Both engines behind the port; the server one in memory, and against a real server where one is named."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from services.search.indexing import registry as indexes_module
from services.search.settings import SearchSettings
from services.search.vector_store.edge import case_cache as case_cache_module
from services.search.vector_store.edge import index as edge_index_module
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.factory import Engine, ServerEngine, engine_of
from services.search.vector_store.port import CaseIndex
from services.search.vector_store.server.collection_config import ServerOptions
from services.search.vector_store.server.index import ServerIndex
from tests.integration.search.made import CLINICAL, manifest

ENGINES = ("edge", "server-in-memory", "server")
MakeIndex = Callable[[NDArray[np.float64]], CaseIndex]


def _server(clinical: NDArray[np.float64]) -> ServerIndex:
    url = os.environ.get("CASEKIN_QDRANT_URL")
    if not url:
        pytest.skip("no Qdrant server: set CASEKIN_QDRANT_URL to run this on one")
    client = QdrantClient(url=url, prefer_grpc=True, api_key=os.environ.get("CASEKIN_QDRANT_API_KEY"))
    return ServerIndex(client, f"test_{secrets.token_hex(6)}", "made-1", clinical)


@contextmanager
def opened(engine: str, folder: Path) -> Iterator[MakeIndex]:
    """Makes empty indexes of one engine, and removes them."""
    made: list[CaseIndex] = []

    def make(clinical: NDArray[np.float64]) -> CaseIndex:
        index: CaseIndex
        if engine == "edge":
            index = EdgeIndex(folder / f"index-{len(made)}", clinical)
        elif engine == "server-in-memory":
            index = ServerIndex(QdrantClient(":memory:"), "test", "made-1", clinical)
        else:
            index = _server(clinical)
        made.append(index)
        return index

    try:
        yield make
    finally:
        for index in made:
            if isinstance(index, ServerIndex) and engine == "server":
                index.drop()
            index.close()


@pytest.fixture(params=("edge-uncached", *ENGINES))
def make_index(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeIndex]:
    """Of every engine; ``edge-uncached`` is the embedded one as it is when an index is too large to be cached."""
    if request.param == "edge-uncached":
        for module in (edge_index_module, case_cache_module):
            monkeypatch.setattr(module, "CACHED_CASES", 0)
    with opened(request.param.removesuffix("-uncached"), tmp_path) as make:
        yield make


@pytest.fixture
def index(make_index: MakeIndex) -> CaseIndex:
    return make_index(CLINICAL)


@pytest.fixture
def settings(tmp_path: Path) -> SearchSettings:
    return settings_in(tmp_path)


def settings_in(folder: Path) -> SearchSettings:
    """Of a service whose bundle has the four dimensions of `made`."""
    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "bundle.json").write_text(manifest().model_dump_json())
    return SearchSettings(
        bundle=bundle, data=folder / "data", audit_file=folder / "audit.jsonl", reserve_mb=0, log_level="WARNING"
    )


class InMemory(QdrantClient):
    """Held in this object, so that one index's client may be closed and the others go on."""

    def close(self, **kwargs: Any) -> None:
        """Stay."""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: SearchSettings) -> Iterator[Callable[[], Engine]]:
    """Opens the same indexes each time, as a service does at each start."""
    if request.param == "edge":
        yield lambda: engine_of(settings)
        return
    url, name = os.environ.get("CASEKIN_QDRANT_URL"), f"test_{secrets.token_hex(6)}"
    if request.param == "server" and not url:
        pytest.skip("no Qdrant server: set CASEKIN_QDRANT_URL to run this on one")
    held = InMemory(":memory:")

    def connect() -> QdrantClient:
        return held if request.param != "server" else QdrantClient(url=url, prefer_grpc=True)

    yield lambda: ServerEngine(connect, name, ServerOptions())
    for found in connect().get_collections().collections:
        if found.name.startswith(name):
            connect().delete_collection(found.name)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes_module, "_SETTLED_S", 0.05)
