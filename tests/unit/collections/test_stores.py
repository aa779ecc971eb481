"""Collections under a prefix of a store, in fsspec's memory file system."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from casekin.collections import Location, location_of, open_collection
from casekin.errors import BadInput, CorruptImage, Unavailable

SPEC = b'title = "Clinic"\nignore = ["old"]\n[columns]\nimage = "image"\ndiagnosis = "diagnosis"\n'
TABLE = b"image,diagnosis\nsub/a.png,nv\nb,mel\nzipped,nv\nmissing,nv\n"


@pytest.fixture
def prefix() -> Iterator[Location]:
    memory = fsspec.filesystem("memory")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/zipped.png", b"third")
    objects = {
        "collection.toml": SPEC,
        "table.csv": TABLE,
        "sub/a.png": b"first",
        "b.png": b"second",
        "old/b.png": b"not this",
        "more.zip": packed.getvalue(),
        "broken.zip": b"no zip",
    }
    memory.pipe({f"/bucket/clinic/{key}": content for key, content in objects.items()})
    yield location_of("memory://bucket/clinic")
    memory.rm("/bucket", recursive=True)


def test_store__is_read_as_a_folder_of_the_same_content(prefix: Location, tmp_path: Path) -> None:
    fsspec.filesystem("memory").get("/bucket/clinic", str(tmp_path), recursive=True)
    here, there = open_collection(location_of(str(tmp_path / "clinic"))), open_collection(prefix)
    assert [row.case for row in there.rows] == [row.case for row in here.rows]
    assert [row.image.read() for row in there.rows] == [b"first", b"second", b"third"]
    assert [row.image.read() for row in here.rows] == [b"first", b"second", b"third"]
    assert [one.code for one in there.skipped] == [one.code for one in here.skipped] == ["corrupt-zip", "no-image"]
    assert there.info == here.info


def test_store__shows_objects_that_came_meanwhile(prefix: Location) -> None:
    assert len(open_collection(prefix).rows) == 3
    fsspec.filesystem("memory").pipe("/bucket/clinic/missing.png", b"fourth")
    assert [row.image.read() for row in open_collection(prefix).rows][-1] == b"fourth"


def test_store__an_object_that_went_meanwhile_is_told_of_that_image_alone(prefix: Location) -> None:
    rows = open_collection(prefix).rows
    fsspec.filesystem("memory").rm("/bucket/clinic/b.png")
    with pytest.raises(CorruptImage, match=r"clinic/b\.png cannot be read: it is gone"):
        rows[1].image.read()
    assert rows[0].image.read() == b"first"


def test_store__without_such_a_prefix_holds_no_collection() -> None:
    with pytest.raises(BadInput, match=r"memory://bucket/nowhere is not a folder"):
        open_collection(location_of("memory://bucket/nowhere"))


def test_store__that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"the store of http://127\.0\.0\.1:9/clinic.* does not answer"):
        open_collection(location_of("http://127.0.0.1:9/clinic/"))
