"""The embedded engine alone: a folder that one process locks, a write-ahead log, its plan, its failures."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge as qe

from casekin.contracts.conditions import AnyOf, Condition
from casekin.errors import Conflict, StorageFull, Unavailable, Unexpected
from services.search.vector_store import search_plan
from services.search.vector_store.edge import view as view_module
from services.search.vector_store.edge.folder import IndexFolder
from services.search.vector_store.edge.index import EdgeIndex
from services.search.vector_store.edge.shard import Shard
from services.search.vector_store.named_vectors import Metric
from services.search.vector_store.port import IndexView
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


def test_change__forces_the_log_to_disk_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what was acknowledged is gone after a power cut."""
    forced: dict[Path, str] = {}
    fsync = os.fsync

    def content(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

    def recorded(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        forced[path] = content(path)
        fsync(descriptor)

    index, cases, log = EdgeIndex(tmp_path, CLINICAL), collection(3), tmp_path / "shard" / "wal"
    _wait_for_the_next_segment(log)
    monkeypatch.setattr(os, "fsync", recorded)
    new_column = stored("ISIC_9000000", [1, 2, 3, 4], attributes={"ward": "b"})
    for change in (
        lambda: index.upsert(cases[:1]),
        lambda: index.upsert(cases[1:]),
        lambda: index.upsert([new_column]),
        lambda: index.delete([cases[0].case.id]),
    ):
        forced.clear()
        change()
        assert {path: content(path) for path in (log, *log.iterdir())} == {
            path: seen for path, seen in forced.items() if log in (path, path.parent)
        }, "what was forced to disk is what is in the log now"
    index.close()


def _wait_for_the_next_segment(log: Path) -> None:
    """A thread of the engine makes it ahead of its use, under a name that it then changes."""
    deadline = time.monotonic() + 60
    while {path.name for path in log.glob("*open-*")} != {"open-1", "open-2"}:
        assert time.monotonic() < deadline, sorted(log.iterdir())
        time.sleep(0.01)


def test_read_ahead__passes_over_files_that_the_engine_renames_and_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = IndexFolder(tmp_path / "index", 0)
    folder.shard.mkdir()
    for name in ("tmp-open-2", "deleted"):
        (folder.shard / name).write_bytes(b"x")
    stat = Path.stat

    def change_after(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = stat(path, follow_symlinks=follow_symlinks)
        if path.name == "tmp-open-2":
            path.rename(path.with_name("open-2"))
            path.with_name("deleted").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "stat", change_after)
    folder.read_ahead()
    assert (folder.shard / "open-2").read_bytes() == b"x"
    folder.release()


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


def test_search__tells_the_engine_its_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are scaled down: from 100 cases on there is a graph, and a value of 50 cases has links of its own."""
    monkeypatch.setattr(search_plan, "EXACT_BELOW", 100)
    monkeypatch.setattr(view_module, "linked_from", lambda *_: 50)
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    sites = ["back"] * 192 + ["ear"] * 8
    cases = [stored(f"C{i}", [i, 0, 0, 0], site=site) for i, site in enumerate(sites)]
    asked: list[tuple[bool, bool]] = []
    query = Shard.query

    def watched(shard: Shard, request: qe.QueryRequest) -> list[qe.ScoredPoint]:
        params = request.params
        assert params is not None
        asked.append((params.exact, bool(params.acorn and params.acorn.enable)))
        return query(shard, request)

    monkeypatch.setattr(Shard, "query", watched)
    back, ear = (AnyOf(field="site", values=(site,)) for site in ("back", "ear"))
    visual, weighted = Metric("visual", np.ones(4)), Metric("weighted", np.ones(4))
    index.upsert(cases[:99])
    small = index.view()
    index.upsert(cases)
    large = index.view()

    def found(view: IndexView, metric: Metric, *conditions: Condition) -> int:
        return len(view.nearest(metric, np.zeros(4), conditions, 5).points)

    assert [found(small, visual), found(large, visual), found(large, visual, back), found(large, visual, ear)] == [
        5
    ] * 4
    monkeypatch.setattr(search_plan, "EXACT_BELOW", 5)
    assert [found(large, visual, ear), found(large, weighted)] == [5, 5]
    scan, graph, acorn = (True, False), (False, False), (False, True)
    assert asked == [scan, graph, graph, scan, acorn, scan]
    index.close()


def test_failure_of_the_engine__is_a_full_disk_only_if_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = EdgeIndex(tmp_path / "index", CLINICAL)
    wrong = Metric("visual", np.ones(3))
    with pytest.raises(Unexpected, match=r"index engine failed.*expected dim: 4, got 3"):
        index.view().nearest(wrong, np.zeros(3), (), 5)

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_space)
    with pytest.raises(StorageFull, match="no space left for the index"):
        index.view().nearest(wrong, np.zeros(3), (), 5)
    index.close()
    with pytest.raises(Unavailable, match="closed"):
        index.view().nearest(Metric("visual", np.ones(4)), np.zeros(4), (), 5)
