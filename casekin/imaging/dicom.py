"""Reads the image of a DICOM file, and nothing else of it."""

import io
import logging
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels.utils import pixel_array

from casekin.errors import BadInput, CorruptImage, UnsupportedImage, UploadTooLarge
from casekin.imaging.dicom_grey import shown_grey
from casekin.imaging.dicom_palette import shown_palette
from casekin.imaging.jpeg import JpegStructure, jpeg_structure

# pydicom quotes odd values, patients' names among them, in warnings that would reach the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom\b")

Samples = NDArray[np.integer[Any]]
SizeCheck = Callable[[int, int], None]
ScanCheck = Callable[[int], None]
_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
_OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    **dict.fromkeys(_JPEG, JpegImageFile),
    uid.JPEG2000Lossless: Jpeg2KImageFile,
    uid.JPEG2000: Jpeg2KImageFile,
}
_NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless)
"""Deflated is left out on purpose: reading its header unpacks the whole file, however large."""
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
"""Of which pydicom makes RGB; it leaves others, as YBR_PARTIAL_422 and HSV, as they are."""


def read_dicom(data: bytes, check_size: SizeCheck, check_scans: ScanCheck) -> Image.Image:
    """The one frame of a DICOM file as RGB.

    `check_size` gets width and height, and `check_scans` the number of scans of a JPEG, before pixels are decoded.
    Raises `UnsupportedImage` naming what is not decoded here, `CorruptImage` for damaged files.
    """
    try:
        syntax = _transfer_syntax(data)
        if syntax not in _OPENERS and syntax not in _NATIVE:
            raise UnsupportedImage(
                f"the DICOM file uses the transfer syntax {syntax.name} ({syntax}), which is not decoded here; "
                "send it as Explicit VR Little Endian or JPEG Baseline"
            )
        return _read(pydicom.dcmread(io.BytesIO(data)), syntax, check_size, check_scans)
    except (BadInput, UploadTooLarge, MemoryError):
        raise
    except Exception as error:  # pydicom raises what it likes on damaged data
        raise CorruptImage(f"the DICOM file cannot be decoded ({error}); send an undamaged copy") from error


def _transfer_syntax(data: bytes) -> uid.UID:
    header = io.BytesIO(data)
    header.seek(132)
    meta = read_dataset(header, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    if not meta.get("TransferSyntaxUID"):
        raise CorruptImage("the DICOM file names no transfer syntax; send an undamaged copy")
    return uid.UID(meta.TransferSyntaxUID)


def _read(dataset: pydicom.Dataset, syntax: uid.UID, check_size: SizeCheck, check_scans: ScanCheck) -> Image.Image:
    if "PixelData" not in dataset:
        raise UnsupportedImage(f"the DICOM object holds no image ({dataset.get('SOPClassUID', uid.UID('')).name})")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise UnsupportedImage(f"the DICOM file holds {frames} frames; send a single image")
    check_size(int(dataset.Columns), int(dataset.Rows))
    photometric = str(dataset.PhotometricInterpretation)
    if photometric not in (*_GREY, *_COLOUR, "PALETTE COLOR"):
        raise UnsupportedImage(
            f"the DICOM file has the photometric interpretation {photometric}, which is not shown here; send it as RGB"
        )
    if syntax in _OPENERS:  # the frame has a header of its own, which the decoder believes
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        structure = jpeg_structure(frame) if syntax in _JPEG else JpegStructure()
        check_scans(structure.scans)
        if structure.precision > 8:
            raise UnsupportedImage(
                f"the DICOM file holds a JPEG of {structure.precision} bits, which is not decoded here; "
                "send it as Explicit VR Little Endian"
            )
        with _OPENERS[syntax](io.BytesIO(frame)) as image:
            check_size(*image.size)
        if len(structure.components) == 3:
            return _colour_jpeg(frame, structure, dataset)
        if syntax not in _JPEG and int(dataset.SamplesPerPixel) > 1 and int(dataset.BitsStored) > 8:
            raise UnsupportedImage(
                f"the DICOM file holds colours of {dataset.BitsStored} bits in JPEG 2000, which are not decoded here; "
                "send it as Explicit VR Little Endian"
            )
    pixels = _aligned_pixels(dataset)
    if pixels.ndim == 3:
        return Image.fromarray(_eight_bits(pixels, int(dataset.BitsStored)))
    if photometric == "PALETTE COLOR":
        return Image.fromarray(shown_palette(pixels, dataset))
    return Image.fromarray(shown_grey(pixels, dataset)).convert("RGB")


def _colour_jpeg(frame: bytes, structure: JpegStructure, dataset: pydicom.Dataset) -> Image.Image:
    """A JPEG of three components as RGB: its own markers come before the file's label, which is often wrong."""
    if int(dataset.SamplesPerPixel) != 3:
        raise CorruptImage(f"the DICOM file says {dataset.SamplesPerPixel} samples a pixel, its JPEG has 3")
    with JpegImageFile(io.BytesIO(frame)) as image:
        if image.size != (int(dataset.Columns), int(dataset.Rows)):
            width, height = image.size
            raise CorruptImage(
                f"the DICOM file says {dataset.Columns} x {dataset.Rows} pixels, its JPEG has {width} x {height}"
            )
        if not _is_untransformed(structure, str(dataset.PhotometricInterpretation)):
            return Image.fromarray(np.asarray(image.convert("RGB")))  # by libjpeg, which goes by the same markers
        image.draft("YCbCr", image.size)  # libjpeg takes what bears no mark for YCbCr: ask it to change nothing
        return Image.frombytes("RGB", image.size, image.tobytes())


def _is_untransformed(structure: JpegStructure, photometric: str) -> bool:
    """Whether the components are red, green and blue though libjpeg, that sees no mark, would take them for YCbCr."""
    ids = [number for number, _ in structure.components]
    marked = structure.jfif or structure.adobe_transform is not None or ids == [*b"RGB"] or structure.subsampled
    if marked or photometric != "RGB":
        return False
    if ids == [1, 2, 3]:
        raise UnsupportedImage(
            "the DICOM file is labelled RGB, and its JPEG has the components of YCbCr and neither a JFIF nor an Adobe "
            "marker: which of the two it is cannot be decided; send it with a marker or as Explicit VR Little Endian"
        )
    return True


def _aligned_pixels(dataset: pydicom.Dataset) -> Samples:
    """The decoded samples; where their bits are not the lowest of a word, brought down to where all others are."""
    stored = int(dataset.BitsStored)
    shift = int(dataset.get("HighBit", stored - 1)) + 1 - stored
    if shift <= 0:
        unshifted: Samples = pixel_array(dataset)
        return unshifted
    dataset.BitsStored = stored + shift  # or pydicom clears the upper bits
    pixels: Samples = np.right_shift(pixel_array(dataset), shift)
    dataset.BitsStored = stored
    return pixels


def _eight_bits(pixels: Samples, bits: int) -> NDArray[np.uint8]:
    if bits < 8:
        spread: NDArray[np.float64] = pixels.astype(np.float64) * (255 / (2**bits - 1))
        return np.rint(spread).clip(0, 255).astype(np.uint8)
    upper: NDArray[np.uint32] = pixels.astype(np.uint32) >> np.uint32(bits - 8)
    return upper.astype(np.uint8)
