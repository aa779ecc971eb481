"""The image store, in a folder and in fsspec's memory file system."""

import itertools
import secrets
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from casekin.errors import NotFound, Unavailable
from services.search.storage.blob_store import BlobStore
from services.search.storage.image_processing import PreparedImage
from services.search.storage.image_store import ImageStore


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path / "im[1]ages") if request.param == "folder" else f"memory://{secrets.token_hex(4)}")


def test_put__is_read_back(blobs: BlobStore) -> None:
    store = ImageStore(blobs)
    store.put({"a": PreparedImage("k1", b"A", b"a"), "b": PreparedImage("k2", b"B", b"b")})
    store.put({"a": PreparedImage("k1", b"A", b"a")})
    assert (store.original("a", "k1"), store.thumbnail("b", "k2")) == (b"A", b"b")
    with pytest.raises(NotFound, match="case a"):
        store.original("a", "k2")


def test_drop__takes_this_case_alone(blobs: BlobStore) -> None:
    store = ImageStore(blobs)
    store.put({"a": PreparedImage("old", b"1", b"1")})
    store.put({"a": PreparedImage("new", b"2", b"2"), "ab": PreparedImage("k", b"3", b"3")})
    store.delete_except("a", ["new"])
    with pytest.raises(NotFound):
        store.original("a", "old")
    assert store.original("a", "new") == b"2"
    store.delete_except("a", ())
    store.delete_except("never-stored", ())
    with pytest.raises(NotFound):
        store.thumbnail("a", "new")
    assert store.original("ab", "k") == b"3"


@pytest.mark.parametrize("written", [0, 1, 3])
def test_put__that_fails_leaves_nothing_new(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Whether it fails with the first file or when others have their names already."""
    store = ImageStore(blobs)
    store.put({"a": PreparedImage("k", b"1", b"1"), "c": PreparedImage("k", b"4", b"4")})
    changed = {"a": PreparedImage("k2", b"2", b"2"), "b": PreparedImage("k", b"3", b"3")}
    fails_after(written, monkeypatch)
    with pytest.raises(Unavailable, match=r"the image store does not answer \(OSError: .*the store is gone\)"):
        store.put({**changed, "c": PreparedImage("k", b"4", b"4")})
    monkeypatch.undo()
    assert store.original("c", "k") == b"4", "an image that was there already stays"
    assert (store.files("b"), len(store.files("a"))) == ([], 2)
    assert (store.original("a", "k"), store.thumbnail("a", "k")) == (b"1", b"1")


def fails_after(written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or an fsspec file system that takes so many files and no more."""
    rename, pipe_file = Path.replace, MemoryFileSystem.pipe_file
    left = itertools.count(written, -1)

    def check() -> None:
        if next(left) <= 0:
            raise OSError("the store is gone")

    def renamed(path: Path, target: Path) -> Path:
        check()
        return rename(path, target)

    def piped(fs: MemoryFileSystem, path: str, value: bytes, mode: str = "overwrite") -> None:
        check()
        pipe_file(fs, path, value, mode)

    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", piped)


def test_keys__are_of_finished_files(tmp_path: Path) -> None:
    blobs = BlobStore(str(tmp_path))
    blobs.write("deletions/one", b"1")
    (tmp_path / "deletions" / ".17.ab.part").write_bytes(b"left by a crash")
    assert blobs.keys("deletions/") == ["deletions/one"]


def test_write__replaces_whole(blobs: BlobStore) -> None:
    blobs.write("x.json", b"long content")
    blobs.write("x.json", b"short")
    assert blobs.read("x.json") == b"short"
    assert blobs.read("y.json") is None
