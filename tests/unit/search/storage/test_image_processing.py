"""What is stored of an uploaded image."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from casekin.errors import BadInput
from casekin.imaging.read import read_image
from services.search.storage.image_processing import media_type, prepare
from tests.unit.search.storage.test_jpeg_metadata import SECRET, exif, jpeg, picture


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_with_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", SECRET.decode())
    return saved(picture(), "PNG", pnginfo=text, exif=exif(6))


KINDS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: jpeg(picture(), exif=exif(6), comment=SECRET),
    "cmyk jpeg": lambda: jpeg(picture().convert("CMYK"), comment=SECRET),
    "png": png_with_text,
    "webp": lambda: saved(picture(), "WEBP", lossless=True, exif=exif(3)),
    "transparent png": lambda: saved(picture().convert("RGBA"), "PNG"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_prepare__shows_what_the_encoder_sees_and_nothing_else(kind: str) -> None:
    data = KINDS[kind]()
    kept = prepare(data)
    assert SECRET not in kept.original + kept.thumbnail
    assert media_type(kept.original) == ("image/jpeg" if kind == "jpeg" else "image/png")
    assert read_image(kept.original).tobytes() == read_image(data).tobytes()
    thumbnail = Image.open(io.BytesIO(kept.thumbnail))
    assert thumbnail.format == "JPEG"
    assert max(thumbnail.size) <= 160
    assert abs(thumbnail.width / thumbnail.height - read_image(data).width / read_image(data).height) < 0.02
    assert not thumbnail.getexif()


def test_prepare__key_is_of_the_picture_not_of_its_metadata() -> None:
    assert prepare(jpeg(picture(), comment=SECRET)).key == prepare(jpeg(picture())).key
    assert prepare(jpeg(picture())).key != prepare(jpeg(picture().rotate(90))).key


@pytest.mark.parametrize("data", [b"", b"text", jpeg(picture())[:500], b"GIF89a" + bytes(100)])
def test_prepare__refuses_what_is_no_image(data: bytes) -> None:
    with pytest.raises(BadInput):
        prepare(data)
