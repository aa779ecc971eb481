"""Pictures for tests: one lesion-like plain picture, and files of every kind, good, odd and broken."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian


def lesion(width: int = 200, height: int = 150) -> Image.Image:
    """A brown blot off the centre of pink skin that grows lighter downwards: no symmetry under any rotation."""
    y, x = np.mgrid[0:height, 0:width]
    blot = np.exp(-(((x - 0.4 * width) / (0.15 * width)) ** 2 + ((y - 0.35 * height) / (0.2 * height)) ** 2))
    skin, mole = np.array([205, 150, 145]), np.array([90, 50, 40])
    pixels = skin + blot[..., None] * (mole - skin) + 25 * (y / height)[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of `image` as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG of raw rows, each with its filter byte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def huge_png(side: int = 30_000) -> bytes:
    """A black one-bit PNG of `side` x `side` pixels and a few kB."""
    row = b"\0" * (1 + (side + 7) // 8)
    return png(side, side, 1, 0, row * side)


def png_16_bit(pixels: NDArray[np.uint8]) -> bytes:
    """A 16-bit PNG of 8-bit pixels [H,W] or [H,W,3], each value v stored as 257 v."""
    wide = (pixels.astype(np.uint16) * 257).astype(">u2").reshape(len(pixels), -1)
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    return png(pixels.shape[1], pixels.shape[0], 16, 0 if pixels.ndim == 2 else 2, rows)


def rotated_by_exif(upright: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    """A file that shows `upright` only if its EXIF orientation is applied."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98} if kind == "JPEG" else {}
    return saved(upright.transpose(undo[orientation]), kind, exif=exif, **options)


def cmyk_jpeg(image: Image.Image) -> bytes:
    """A CMYK JPEG as Adobe writes it: inverted, with an APP14 marker."""
    return saved(image.convert("CMYK"), "JPEG", quality=98)


def plain_cmyk_jpeg(image: Image.Image) -> bytes:
    """A CMYK JPEG that is not inverted and has no APP14 marker."""
    data = saved(ImageChops.invert(image.convert("CMYK")), "JPEG", quality=98)
    start = data.index(b"\xff\xee")
    (length,) = struct.unpack_from(">H", data, start + 2)
    return data[:start] + data[start + 2 + length :]


def with_swapped_red_and_green(image: Image.Image) -> bytes:
    """A PNG that shows `image` only if its ICC profile, which exchanges red and green, is applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for one, other in ((b"rXYZ", b"gXYZ"), (b"rTRC", b"gTRC")):
        profile = profile.replace(one, b"????").replace(other, one).replace(b"????", other)
    profile = profile.replace("sRGB".encode("utf-16-be"), "Test".encode("utf-16-be"))
    red, green, blue = image.split()
    return saved(Image.merge("RGB", (green, red, blue)), "PNG", icc_profile=profile)


def dicom(
    pixels: NDArray[Any],
    photometric: str = "RGB",
    *,
    syntax: str = ExplicitVRLittleEndian,
    frame: bytes | None = None,
    **elements: Any,
) -> bytes:
    """A DICOM file of pixels [H,W] or [H,W,3], natively encoded or as the compressed `frame`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.4")
    meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    meta.TransferSyntaxUID = UID(syntax)
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName = "Secret^Name"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
    if data.SamplesPerPixel > 1:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = photometric
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
    data.PixelData = pixels.tobytes() if frame is None else encapsulate([frame])
    data["PixelData"].is_undefined_length = frame is not None
    for name, value in elements.items():
        setattr(data, name, value)
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()
