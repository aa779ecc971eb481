"""A bundle is opened when its files are those of its manifest, and otherwise refused with the file's name."""

import json
import shutil
from pathlib import Path

import pytest

from casekin.bundle import open_bundle, read_manifest, sha256_of
from casekin.errors import BundleRefused


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "copy")


def test_open_bundle__whole(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    assert bundle.manifest.version == "tiny-1"
    assert bundle.file("encoder.onnx").is_file()
    with pytest.raises(BundleRefused, match=r"lists no relevance\.onnx"):
        bundle.file("relevance.onnx")


def test_open_bundle__changed_byte(copy: Path) -> None:
    path = copy / "head.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    expected = sha256_of(path)
    path.write_bytes(data)
    with pytest.raises(BundleRefused) as caught:
        open_bundle(copy)
    assert all(part in caught.value.detail for part in ("head.onnx", expected, sha256_of(path)))


def test_open_bundle__other_size(copy: Path) -> None:
    size = (copy / "decoder.onnx").stat().st_size
    with (copy / "decoder.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleRefused, match=rf"decoder\.onnx: expected {size} bytes, found {size + 4}"):
        open_bundle(copy)


def test_open_bundle__missing_file(copy: Path) -> None:
    (copy / "encoder.onnx").unlink()
    with pytest.raises(BundleRefused, match=r"encoder\.onnx: expected a file of \d+ bytes, found none"):
        open_bundle(copy)


def test_open_bundle__outside_its_folder(copy: Path) -> None:
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["files"]["../secret"] = manifest["files"]["head.onnx"]
    (copy / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleRefused, match=r"'\.\./secret', expected the name of a file beside it"):
        open_bundle(copy)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the whole: Invalid JSON"),
        ("{", "the whole: Invalid JSON"),
        ("[]", "the whole: Input should be an object"),
        ('{"format": 2}', "format: Input should be 1, found '2'"),
    ],
)
def test_read_manifest__unreadable(copy: Path, text: str, said: str) -> None:
    (copy / "bundle.json").write_text(text)
    with pytest.raises(BundleRefused) as caught:
        read_manifest(copy)
    assert str(copy / "bundle.json") in caught.value.detail
    assert said in caught.value.detail


def test_read_manifest__no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="found none"):
        read_manifest(tmp_path)
