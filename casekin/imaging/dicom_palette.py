"""Palette colours of DICOM, PS3.3 C.7.6.3.1.5: tables with entries of 8 or 16 bits, whatever they are declared as."""

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut

from casekin.errors import CorruptImage, UnsupportedImage

_COLOURS = ("Red", "Green", "Blue")


def shown_palette(pixels: NDArray[np.generic], dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    """The colours [H,W,3] of indexes [H,W]; raises `CorruptImage`, `UnsupportedImage`."""
    if "RedPaletteColorLookupTableData" not in dataset:
        return _segmented(pixels, dataset)
    entries, first, _ = (int(value) for value in dataset.RedPaletteColorLookupTableDescriptor)
    entries = entries or 1 << 16
    little = dataset.file_meta.TransferSyntaxUID.is_little_endian
    tables = np.stack([_table(dataset, colour, entries, little=little) for colour in _COLOURS], axis=-1)
    # Many writers declare 16 bits and leave the upper 8 empty; none has a palette that is black on black.
    eight = tables.astype(np.uint8) if tables.max() <= 255 else (tables >> 8).astype(np.uint8)
    rows = np.clip(pixels.astype(np.int64) - first, 0, entries - 1)
    return eight[rows]


def _table(dataset: pydicom.Dataset, colour: str, entries: int, *, little: bool) -> NDArray[np.uint16]:
    data = bytes(dataset[f"{colour}PaletteColorLookupTableData"].value)
    if len(data) >= 2 * entries:
        return np.frombuffer(data, "<u2" if little else ">u2", entries).astype(np.uint16)
    if len(data) >= entries:
        if not little:  # two entries a word, PS3.3 C.7.6.3.1.6
            data = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").tobytes() + data[len(data) // 2 * 2 :]
        return np.frombuffer(data, np.uint8, entries).astype(np.uint16)
    raise CorruptImage(f"the DICOM file's {colour.lower()} palette has {len(data)} bytes for {entries} entries")


def _segmented(pixels: NDArray[np.generic], dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    entries, _, bits = (int(value) for value in dataset.RedPaletteColorLookupTableDescriptor)
    if bits == 8 and (entries == 0 or entries > 256):  # pydicom's indexes have as many bits as the entries
        raise UnsupportedImage(
            f"the DICOM file has a segmented palette of {entries or 1 << 16} entries of 8 bits; send it as RGB"
        )
    coloured = apply_color_lut(pixels, dataset)
    wide = coloured.dtype.itemsize == 2 and coloured.max() > 255
    return (coloured >> 8 if wide else coloured).astype(np.uint8)[..., :3]
