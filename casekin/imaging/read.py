"""Reads an uploaded image under limits: bytes of unknown origin become plain RGB pixels, or a named refusal.

The type is recognised by content, never by name. Sizes are checked before pixels are decoded. Only pixels are kept.
"""

import io
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from casekin.contracts.bundle import InputSpec
from casekin.errors import BadInput, CorruptImage, EmptyUpload, UnsupportedImage, UploadTooLarge
from casekin.imaging.jpeg import jpeg_structure
from casekin.imaging.pixels import to_rgb

ACCEPTED = "send JPEG, PNG, WebP or DICOM"
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "a GIF file",
    b"BM": "a BMP file",
    b"II*\0": "a TIFF file",
    b"MM\0*": "a TIFF file",
    b"%PDF": "a PDF file",
    b"PK\3\4": "a ZIP file",
    b"\0\0\0\x0cjP": "a JPEG 2000 file",
    b"\xff\x4f\xff\x51": "a JPEG 2000 file",
}
_RESAMPLE = {
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True)
class ImageLimits:
    """What an upload may be; checked before its pixels are decoded."""

    megabytes: float = 20.0
    """Of 10^6 bytes, as sent."""
    megapixels: float = 50.0
    """Width x height / 10^6, as the header says."""
    side: int = 32
    """Least width and height in pixels."""
    scans: int = 64
    """Of a progressive JPEG: each costs a pass over all pixels."""

    def check_bytes(self, count: int) -> None:
        """Raise `UploadTooLarge` or `EmptyUpload` for an upload of `count` bytes."""
        if count == 0:
            raise EmptyUpload(f"0 bytes were sent; {ACCEPTED}")
        if count > self.megabytes * 1e6:
            raise UploadTooLarge(f"{count / 1e6:.1f} MB were sent; the limit is {self.megabytes:g} MB")

    def check_scans(self, scans: int) -> None:
        """Raise `UnsupportedImage` for a JPEG of so many `scans`."""
        if scans > self.scans:
            raise UnsupportedImage(f"the JPEG has {scans} scans; the limit is {self.scans}: send it as a baseline JPEG")

    def check_size(self, width: int, height: int) -> None:
        """Raise `UploadTooLarge` or `BadInput` for an image of `width` x `height` pixels."""
        if width * height > self.megapixels * 1e6:
            raise UploadTooLarge(
                f"the image is {width} x {height} pixels, {width * height / 1e6:.0f} megapixels; "
                f"the limit is {self.megapixels:g} megapixels: send a smaller copy"
            )
        if min(width, height) < self.side:
            raise BadInput(
                f"the image is {width} x {height} pixels; each side needs at least {self.side}: send a larger one"
            )


LIMITS = ImageLimits()


def read_image(data: bytes, limits: ImageLimits = LIMITS) -> Image.Image:
    """The pixels of one image as RGB, upright as its EXIF says, composited on white, without metadata.

    Raises `EmptyUpload`, `UploadTooLarge`, `UnsupportedImage`, `CorruptImage`, or `BadInput` where it is too small.
    """
    limits.check_bytes(len(data))
    kind = image_type(data)
    if kind == "DICOM":
        from casekin.imaging.dicom import read_dicom  # noqa: PLC0415  pydicom takes 0.3 s to import and few uploads need it

        return read_dicom(data, limits.check_size, limits.check_scans)
    if kind not in _OPENERS:
        raise UnsupportedImage(f"the upload is {kind}; {ACCEPTED}")
    try:
        return _decode(kind, data, limits)
    except (BadInput, UploadTooLarge, MemoryError):
        raise
    except Exception as error:  # decoders raise what they like on damaged data
        raise CorruptImage(f"the {kind} cannot be decoded to its end ({error}); send an undamaged copy") from error


def image_type(data: bytes) -> str:
    """What `data` is by its content: ``JPEG``, ``PNG``, ``WebP``, ``DICOM``, or words for something else."""
    if data[128:132] == b"DICM":
        return "DICOM"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return f"a HEIC, AVIF or video file ({data[8:12].decode('ascii', 'replace').strip()})"
    little, big = data[:2] in (b"\x02\0", b"\x08\0"), data[:2] == b"\0\x08"  # group 2 or 8, where a data set begins
    if (little and data[3:4] == b"\0") or (big and data[2:3] == b"\0" and data[4:6].isupper()):
        return "DICOM data without the header of a DICOM file (the letters DICM at byte 128)"
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            return name
    return "text" if _is_text(data[:512]) else "of an unknown type"


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in head) and head.isascii()


def _open_jpeg(data: bytes, limits: ImageLimits) -> ImageFile.ImageFile:
    limits.check_scans(jpeg_structure(data).scans)
    return JpegImageFile(io.BytesIO(data))


def _open_png(data: bytes, _: ImageLimits) -> ImageFile.ImageFile:
    return PngImageFile(io.BytesIO(data))


def _open_webp(data: bytes, limits: ImageLimits) -> ImageFile.ImageFile:
    if data[12:16] == b"VP8X":  # libwebp allocates the canvas when the file is opened, so its size is read before
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
        limits.check_size((high_w << 16) + low_w + 1, (high_h << 16) + low_h + 1)
    return WebPImageFile(io.BytesIO(data))


_OPENERS: dict[str, Callable[[bytes, ImageLimits], ImageFile.ImageFile]] = {
    "JPEG": _open_jpeg,
    "PNG": _open_png,
    "WebP": _open_webp,
}


def _decode(kind: str, data: bytes, limits: ImageLimits) -> Image.Image:
    # The plugins are called directly: Image.open would first apply Pillow's process-wide pixel limit.
    with _OPENERS[kind](data, limits) as image:
        limits.check_size(*image.size)
        if getattr(image, "is_animated", False):
            raise UnsupportedImage(f"the {kind} is animated ({image.n_frames} frames); send a single image")  # type: ignore[attr-defined]
        image.load()
        return to_rgb(_upright(image))


def _upright(image: Image.Image) -> Image.Image:
    with suppress(SyntaxError, ValueError, TypeError, struct.error, OSError):  # damaged EXIF has no rotation
        ImageOps.exif_transpose(image, in_place=True)
    return image


def is_turned(image: Image.Image, spec: InputSpec) -> bool:
    """Whether `cover` turns an image: a portrait one for a landscape input, or the other way round."""
    return (image.width - image.height) * (spec.width - spec.height) < 0


def cover(image: Image.Image, spec: InputSpec) -> Image.Image:
    """An RGB image as the encoder looks at it: scaled to cover the input, its aspect kept, cropped about its centre.

    An image of the other orientation is first turned by 90 degrees to the left, which loses nothing of it: a lesion has
    no up and down, and a crop of 3:4 to 4:3 would lose 44 %. Training, ingest and uploads all come through here.
    """
    if is_turned(image, spec):
        image = image.transpose(Image.Transpose.ROTATE_90)
    left, top = _margins(image.width, image.height, spec)
    box = (left, top, image.width - left, image.height - top)
    return image.resize((spec.width, spec.height), _RESAMPLE[spec.resample], box=box)


def share_seen(image: Image.Image, spec: InputSpec) -> float:
    """The share of an image's area that `cover` keeps."""
    width, height = (image.height, image.width) if is_turned(image, spec) else image.size
    left, top = _margins(width, height, spec)
    return (1 - 2 * left / width) * (1 - 2 * top / height)


def _margins(width: int, height: int, spec: InputSpec) -> tuple[float, float]:
    """Pixels to cut off at each side, and at top and bottom."""
    scale = min(width / spec.width, height / spec.height)
    return max(0.0, (width - spec.width * scale) / 2), max(0.0, (height - spec.height * scale) / 2)


def to_array(image: Image.Image) -> NDArray[np.float32]:
    """The pixels of an RGB image as [3,H,W] in 0..1."""
    pixels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1)
    return np.ascontiguousarray(pixels) / np.float32(255)


def fit(image: Image.Image, spec: InputSpec) -> NDArray[np.float32]:
    """An RGB image of any size as the encoder takes it, [3,H,W] in 0..1."""
    return to_array(cover(image, spec))
