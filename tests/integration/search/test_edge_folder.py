"""What only the embedded engine has: a folder that one process holds, and a write-ahead log."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from casekin.contracts.conditions import AnyOf
from casekin.errors import Conflict, StorageFull
from services.search.vector_store.edge import index as edge_module
from services.search.vector_store.edge.index import EdgeIndex
from tests.integration.search.made import CLINICAL, collection, stored

ROOT = Path(__file__).parents[3]


def test_open__in_two_processes_is_refused(tmp_path: Path) -> None:
    holder = EdgeIndex(tmp_path / "index", CLINICAL)
    with pytest.raises(Conflict, match=r"open in another process \(pid \d+\)"):
        EdgeIndex(tmp_path / "index", CLINICAL)
    code = (
        "import sys, numpy; from pathlib import Path; from services.search.vector_store.edge.index import EdgeIndex; "
        "EdgeIndex(Path(sys.argv[1]), numpy.ones(4))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "index")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Conflict" in other.stderr
    holder.close()
    EdgeIndex(tmp_path / "index", CLINICAL).close()


def test_open__goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = EdgeIndex(tmp_path / "index", CLINICAL)
    first.upsert(collection(30))
    first.delete(["ISIC_0000001"])
    revision, ids = first.revision(), first.ids()
    first.close()
    again = EdgeIndex(tmp_path / "index", CLINICAL)
    assert (again.revision(), again.ids(), again.count()) == (revision, ids, 29)
    again.upsert([stored("A", [0, 0, 0, 0])])
    assert again.revision() != revision
    again.close()


def test_open__after_its_making_was_interrupted(tmp_path: Path) -> None:
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    index.close()
    (tmp_path / "index" / "created").unlink()
    again = EdgeIndex(tmp_path / "index", CLINICAL)
    again.upsert(collection(3))
    assert again.facet("source") == {"made": 3}
    again.close()


def test_upsert__is_safe_with_the_log_alone(tmp_path: Path) -> None:
    """A power cut may lose all but what was forced to disk: the engine's files of the last flush, and the log."""
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    shutil.copytree(tmp_path / "index", tmp_path / "after")
    index.upsert(collection(300))
    index.upsert(collection(60, seed=1))
    shutil.rmtree(tmp_path / "after" / "shard" / "wal")
    shutil.copytree(tmp_path / "index" / "shard" / "wal", tmp_path / "after" / "shard" / "wal")
    after = EdgeIndex(tmp_path / "after", CLINICAL)
    assert after.ids() == index.ids()
    for one, other in zip(after.get(after.ids()), index.get(index.ids()), strict=True):
        assert (one.case, one.digest) == (other.case, other.digest)
        np.testing.assert_array_equal(one.latent, other.latent)
    index.close()
    after.close()


def test_upsert__stops_while_the_disk_has_room_to_die_in(tmp_path: Path) -> None:
    index = EdgeIndex(tmp_path / "index", CLINICAL, reserve_bytes=10**18)
    before = index.revision()
    with pytest.raises(StorageFull, match="must stay free"):
        index.upsert(collection(1))
    assert (index.count(), index.revision()) == (0, before)
    index.close()


def test_service__refuses_a_folder_in_use_in_one_line(tmp_path: Path) -> None:
    from tests.integration.search.conftest import settings_in

    settings = settings_in(tmp_path)
    holder = EdgeIndex(settings.data / "index" / "cases--made-1", CLINICAL)
    names = {"DATA": settings.data, "BUNDLE": settings.bundle}
    started = subprocess.run(
        [sys.executable, "-m", "services.search"],
        env={f"CASEKIN_{name}": str(value) for name, value in names.items()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode == 2
    assert started.stderr.startswith("casekin: the index in ")
    assert "Traceback" not in started.stderr
    holder.close()


def test_search__scans_what_few_pass_and_takes_the_graph_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    sites = ["back"] * 192 + ["ear"] * 8
    index.upsert([stored(f"C{i}", [i, 0, 0, 0], site=site) for i, site in enumerate(sites)])
    asked: list[tuple[bool, bool]] = []
    shard = index._shard

    class Watched:
        def query(self, request):  # type: ignore[no-untyped-def]
            asked.append((request.params.exact, bool(request.params.acorn and request.params.acorn.enable)))
            return shard.query(request)

        def __getattr__(self, name: str) -> object:
            return getattr(shard, name)

    monkeypatch.setattr(index, "_shard", Watched())
    back, ear = (AnyOf(field="site", values=(site,)) for site in ("back", "ear"))
    for threshold, conditions in ((1000, ()), (100, ()), (100, (back,)), (100, (ear,)), (5, (ear,))):
        monkeypatch.setattr(edge_module, "EXACT_BELOW", threshold)
        assert len(index.nearest("visual", [0.0] * 4, conditions, 5)) == 5
    index.nearest("weighted", [0.0] * 8, (), 5)
    scan, graph, steps_over = (True, False), (False, False), (False, True)
    assert asked == [scan, graph, graph, scan, steps_over, scan]
    index.close()
