"""Reads the image of a DICOM file, and nothing else of it."""

import io
import logging
import warnings
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array

from casekin.errors import BadInput, CorruptImage, UnsupportedImage, UploadTooLarge

# pydicom quotes odd values, patients' names among them, in warnings that would reach the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom\b")

SizeCheck = Callable[[int, int], None]
_OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    uid.JPEGBaseline8Bit: JpegImageFile,
    uid.JPEGExtended12Bit: JpegImageFile,
    uid.JPEG2000Lossless: Jpeg2KImageFile,
    uid.JPEG2000: Jpeg2KImageFile,
}
_NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless)
"""Deflated is left out on purpose: reading its header unpacks the whole file, however large."""


def read_dicom(data: bytes, check_size: SizeCheck) -> Image.Image:
    """The one frame of a DICOM file as RGB; `check_size` sees width and height before pixels are decoded.

    Raises `UnsupportedImage` naming a transfer syntax that is not decoded here, `CorruptImage` for damaged files.
    """
    try:
        syntax = _transfer_syntax(data)
        if syntax not in _OPENERS and syntax not in _NATIVE:
            raise UnsupportedImage(
                f"the DICOM file uses the transfer syntax {syntax.name} ({syntax}), which is not decoded here; "
                "send it as Explicit VR Little Endian or JPEG Baseline"
            )
        return _read(pydicom.dcmread(io.BytesIO(data)), syntax, check_size)
    except (BadInput, UploadTooLarge, MemoryError):
        raise
    except Exception as error:  # pydicom raises what it likes on damaged data
        raise CorruptImage(f"the DICOM file cannot be decoded ({error}); send an undamaged copy") from error


def _transfer_syntax(data: bytes) -> uid.UID:
    header = io.BytesIO(data)
    header.seek(132)
    meta = read_dataset(header, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    return uid.UID(meta.TransferSyntaxUID)


def _read(dataset: pydicom.Dataset, syntax: uid.UID, check_size: SizeCheck) -> Image.Image:
    if "PixelData" not in dataset:
        raise UnsupportedImage(f"the DICOM object holds no image ({dataset.get('SOPClassUID', uid.UID('')).name})")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise UnsupportedImage(f"the DICOM file holds {frames} frames; send a single image")
    check_size(int(dataset.Columns), int(dataset.Rows))
    if syntax in _OPENERS:  # the frame has a header of its own, which the decoder believes
        with _OPENERS[syntax](io.BytesIO(get_frame(dataset.PixelData, 0, number_of_frames=1))) as frame:
            check_size(*frame.size)
    pixels = pixel_array(dataset)
    if pixels.ndim == 3:
        return Image.fromarray(_eight_bits(pixels, dataset.BitsStored))
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        coloured = apply_color_lut(pixels, dataset)
        return Image.fromarray(_eight_bits(coloured, 8 * coloured.itemsize))
    return Image.fromarray(_windowed(pixels, dataset)).convert("RGB")


def _eight_bits(pixels: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    return (pixels.astype(np.uint32) >> max(bits - 8, 0)).astype(np.uint8)


def _windowed(pixels: NDArray[np.generic], dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    """Grey values through the file's own linear window, or over all that they could be where it has none."""
    grey = apply_modality_lut(pixels, dataset).astype(np.float64)
    low, high = _window(grey, dataset)
    grey = np.clip((grey - low) / max(high - low, 1e-12), 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    return np.rint(grey * 255).astype(np.uint8)


def _window(grey: NDArray[np.float64], dataset: pydicom.Dataset) -> tuple[float, float]:
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        centre, width = (float(np.ravel(dataset[name].value)[0]) for name in ("WindowCenter", "WindowWidth"))
        return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2  # PS3.3 C.11.2.1.2.1
    if dataset.PixelRepresentation == 0 and "RescaleSlope" not in dataset and "ModalityLUTSequence" not in dataset:
        return 0.0, float(2**dataset.BitsStored - 1)
    return float(grey.min()), float(grey.max())
