"""The image store, in a folder and in fsspec's memory file system."""

import secrets
from pathlib import Path

import pytest

from casekin.errors import NotFound
from services.search.storage.blob_store import BlobStore
from services.search.storage.image_processing import Picture
from services.search.storage.image_store import ImageStore


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path / "im[1]ages") if request.param == "folder" else f"memory://{secrets.token_hex(4)}")


def test_put__is_read_back(blobs: BlobStore) -> None:
    store = ImageStore(blobs)
    store.put({"a": Picture("k1", b"A", b"a"), "b": Picture("k2", b"B", b"b")})
    store.put({"a": Picture("k1", b"A", b"a")})
    assert (store.original("a", "k1"), store.thumbnail("b", "k2")) == (b"A", b"b")
    with pytest.raises(NotFound, match="case a"):
        store.original("a", "k2")


def test_drop__takes_this_case_alone(blobs: BlobStore) -> None:
    store = ImageStore(blobs)
    store.put({"a": Picture("old", b"1", b"1")})
    store.put({"a": Picture("new", b"2", b"2"), "ab": Picture("k", b"3", b"3")})
    store.drop_all_but("a", ["new"])
    with pytest.raises(NotFound):
        store.original("a", "old")
    assert store.original("a", "new") == b"2"
    store.drop_all_but("a", ())
    store.drop_all_but("never-stored", ())
    with pytest.raises(NotFound):
        store.thumbnail("a", "new")
    assert store.original("ab", "k") == b"3"


def test_put__that_fails_leaves_nothing_new(tmp_path: Path) -> None:
    blobs = BlobStore(str(tmp_path))
    store = ImageStore(blobs)
    store.put({"a": Picture("k", b"1", b"1")})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    too_long = "k" * 260  # as the key of a picture, beyond what a file system takes
    with pytest.raises(OSError, match="too long"):
        store.put({"a": Picture("k2", b"2", b"2"), "b": Picture(too_long, b"3", b"3")})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_write__replaces_whole(blobs: BlobStore) -> None:
    blobs.write("x.json", b"long content")
    blobs.write("x.json", b"short")
    assert blobs.read("x.json") == b"short"
    assert blobs.read("y.json") is None
