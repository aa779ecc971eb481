"""Metadata leaves a JPEG, its pixels do not change."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from services.search.storage.jpeg_metadata import strip_jpeg

SECRET = b"patient Jane Doe"


def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((120, 80), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, **options)
    return out.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = SECRET.decode()
    tags[0x9286] = SECRET.decode()
    return tags


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_strip__drops_every_block_and_keeps_the_pixels(mode: str, progressive: bool) -> None:
    data = jpeg(
        picture().convert(mode),
        exif=exif(1),
        comment=SECRET,
        xmp=b"<x>" + SECRET + b"</x>",
        progressive=progressive,
        dpi=(72, 72),
    )
    data = data + SECRET * 3
    assert data.count(SECRET) >= 5
    stripped = strip_jpeg(data)
    assert SECRET not in stripped
    image = Image.open(io.BytesIO(stripped))
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "progressive", "progression"}
    assert image.tobytes() == Image.open(io.BytesIO(data)).tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_strip__keeps_the_picture_upright(orientation: int) -> None:
    data = jpeg(picture(), exif=exif(orientation))
    stripped = strip_jpeg(data, orientation)
    assert SECRET not in stripped
    before, after = (ImageOps.exif_transpose(Image.open(io.BytesIO(d))) for d in (data, stripped))
    assert before.size == after.size
    assert before.tobytes() == after.tobytes()


def test_strip__keeps_the_colour_profile_and_restarts() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = jpeg(picture(), icc_profile=profile, restart_marker_blocks=2)
    stripped = strip_jpeg(data)
    assert Image.open(io.BytesIO(stripped)).info["icc_profile"] == profile
    assert Image.open(io.BytesIO(stripped)).tobytes() == Image.open(io.BytesIO(data)).tobytes()


def test_strip__twice_is_once() -> None:
    stripped = strip_jpeg(jpeg(picture(), exif=exif(6)), 6)
    assert strip_jpeg(stripped, 6) == stripped


def test_strip__of_less_than_a_jpeg_is_refused() -> None:
    data = jpeg(picture())
    for cut in (3, 30, len(data) // 2, len(data) - 2):
        with pytest.raises(ValueError, match="JPEG"):
            strip_jpeg(data[:cut])


def test_strip__real_dermatoscopy(ham10000_full: Path) -> None:
    files = sorted(ham10000_full.rglob("*.jpg"))[:10]
    assert files
    for file in files:
        data = file.read_bytes()
        stripped = strip_jpeg(data)
        assert len(stripped) <= len(data)
        assert Image.open(io.BytesIO(stripped)).tobytes() == Image.open(io.BytesIO(data)).tobytes()


def test_strip__drops_the_thumbnail_of_the_jfif_header() -> None:
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(out, "JPEG")
    plain = out.getvalue()
    length = int.from_bytes(plain[4:6], "big")
    header, rest = plain[2 : 4 + length], plain[4 + length :]
    assert header[4:9] == b"JFIF\0"
    thumbnail = b"\x11\x22\x33"
    with_thumbnail = header[:2] + (length + 3).to_bytes(2, "big") + header[4:-2] + b"\x01\x01" + thumbnail
    assert strip_jpeg(plain[:2] + with_thumbnail + rest) == strip_jpeg(plain)
