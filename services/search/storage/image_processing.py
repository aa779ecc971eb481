"""Prepare an uploaded image for storage: strip its metadata and make a thumbnail."""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image

from casekin.imaging.read import image_type, read_image
from services.search.storage.jpeg_metadata import strip_jpeg

THUMBNAIL = (160, 160)
"""Width and height in pixels that a thumbnail fits into."""
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """The files stored for one image."""

    key: str
    """Hash of `original`: equal images have equal keys."""
    original: bytes
    """JPEG or PNG, without metadata."""
    thumbnail: bytes
    """JPEG."""


def prepare(data: bytes) -> PreparedImage:
    """Decode, check, strip and shrink one image; raises as `casekin.imaging.read.read_image` does.

    A JPEG keeps its compressed pixels bit by bit. Anything else is decoded and stored as PNG: of PNG, WebP and DICOM no
    metadata can then be left, and browsers show all of them.
    """
    image = read_image(data)
    original = _stripped(data, image)
    return PreparedImage(hashlib.sha256(original).hexdigest()[:32], original, _thumbnail(image))


def media_type(data: bytes) -> str:
    """Media type of a stored image, by its content."""
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


def _stripped(data: bytes, image: Image.Image) -> bytes:
    if image_type(data) == "JPEG":
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as opened:
            is_portable = opened.mode in ("RGB", "L")  # browsers differ on CMYK
            orientation = _orientation(opened)
        if is_portable:
            try:
                return strip_jpeg(data, orientation)
            except ValueError:  # decodes, and yet ends early: store what was decoded
                pass
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, TypeError, OSError):  # damaged EXIF: no rotation is known
        return 1
    return found if found in range(1, 9) else 1


def _thumbnail(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()
