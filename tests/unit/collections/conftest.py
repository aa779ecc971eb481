"""Small collections in every form a download comes in."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

HEADER = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]
ROWS = [
    ["HAM_1", "ISIC_1", "nv", "follow_up", "45.0", "male", "back", "vidir_modern"],
    ["HAM_1", "ISIC_2", "nv", "follow_up", "45.0", "male", "back", "vidir_modern"],
    ["HAM_2", "ISIC_3", "mel", "histo", "", "unknown", "unknown", "rosendahl"],
]


def jpeg(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), (shade, 120, 110)).save(stream, "JPEG")
    return stream.getvalue()


def write_table(file: Path, rows: list[list[str]], *, delimiter: str = ",", quoted: bool = False) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).writerows(rows)


def write_zip(file: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.fixture
def images() -> dict[str, bytes]:
    return {row[1] + ".jpg": jpeg(100 + 20 * i) for i, row in enumerate(ROWS)}


@pytest.fixture
def make_folder(tmp_path: Path, images: dict[str, bytes]) -> Callable[..., Path]:
    """Writes the three cases: `rows` replaces them, `without` leaves images out."""

    def make(rows: list[list[str]] | None = None, without: tuple[str, ...] = (), **more: bytes) -> Path:
        for name, data in ({k: v for k, v in images.items() if k not in without} | more).items():
            (tmp_path / name).write_bytes(data)
        write_table(tmp_path / "HAM10000_metadata.csv", [HEADER, *(ROWS if rows is None else rows)])
        return tmp_path

    return make
