"""DICOM as devices write it: the pixels that pydicom reads, those that are right where it errs, or a refusal."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRBigEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from casekin.errors import CasekinError, CorruptImage, UnsupportedImage
from casekin.imaging.read import ImageLimits, read_image
from tests import pictures

PLAIN = pictures.lesion()
RGB = np.asarray(PLAIN)
GREY = np.asarray(PLAIN.convert("L"))
TWELVE = GREY.astype(np.uint16) * 16
YBR = np.asarray(PLAIN.convert("YCbCr"))
INDEXED = PLAIN.quantize(200)
INDEXES = np.asarray(INDEXED)
PALETTE = np.array(INDEXED.getpalette()[:600], np.uint8).reshape(-1, 3)
COLOURED = PALETTE[INDEXES]
SMALL = ImageLimits(side=1)
Pixels = NDArray[np.generic]


def grey(pixels: NDArray[Any], **elements: Any) -> bytes:
    return pictures.dicom(pixels, "MONOCHROME2", **elements)


def palette(pixels: NDArray[Any], table: NDArray[Any], bits: int, *, first: int = 0, **elements: Any) -> bytes:
    for number, colour in enumerate(("Red", "Green", "Blue")):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [len(table) % 65536, first, bits]
        data = table[:, number].tobytes()
        elements[f"{colour}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return pictures.dicom(pixels, "PALETTE COLOR", **elements)


def table_sequence(values: NDArray[np.uint16], first: int, **more: Any) -> pydicom.Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(values), first, 16]
    item.LUTData = values.astype("<u2").tobytes()
    for name, value in more.items():
        setattr(item, name, value)
    return pydicom.Sequence([item])


def jpeg(pixels: NDArray[np.uint8], *, mark: bool, subsampling: int = 0) -> bytes:
    """Three components as they are given, with ids 1, 2, 3; the JFIF marker kept or cut out."""
    data = pictures.saved(Image.fromarray(pixels), "JPEG", quality=98, subsampling=subsampling)
    assert data[2:4] == b"\xff\xe0"
    return data if mark else data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def renumbered(data: bytes, ids: bytes) -> bytes:
    """A JPEG without marker whose components have other ids."""
    for marker, start in ((b"\xff\xc0", 10), (b"\xff\xda", 5)):
        at = data.index(marker)
        step = 3 if marker == b"\xff\xc0" else 2
        for number, identity in enumerate(ids):
            place = at + start + step * number
            data = data[:place] + bytes([identity]) + data[place + 1 :]
    return data


def untransformed() -> bytes:
    """RGB stored as it is, in a JPEG that says so nowhere: YCbCr pixels whose conversion is skipped."""
    made = Image.frombytes("YCbCr", PLAIN.size, RGB.tobytes())
    data = pictures.saved(made, "JPEG", quality=98, subsampling=0)
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def framed(frame: bytes, photometric: str, **elements: Any) -> bytes:
    return pictures.dicom(RGB, photometric, syntax=JPEGBaseline8Bit, frame=frame, **elements)


def pydicoms_grey(data: bytes) -> Pixels:
    """Grey by pydicom's own pipeline: modality, then window, over the range that both can have."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(float)
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    low, high = intercept, (2**dataset.BitsStored - 1) * slope + intercept
    if dataset.get("VOILUTSequence") or dataset.get("ModalityLUTSequence"):
        low, high = 0, 65535
    shown = np.rint((values - low) / (high - low) * 255)
    return (255 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown)[..., None]


CURVE = (np.linspace(0, 1, 4096) ** 2 * 65535).astype(np.uint16)
GREYS_OF_PYDICOM: dict[str, bytes] = {
    "plain": grey(GREY),
    "inverse": pictures.dicom(GREY, "MONOCHROME1"),
    "twelve bits": grey(TWELVE, BitsStored=12, HighBit=11),
    "sixteen bits": grey(GREY.astype(np.uint16) * 257),
    "big endian": grey(TWELVE.astype(">u2"), syntax=ExplicitVRBigEndian, BitsStored=12, HighBit=11),
    "a window": grey(TWELVE, BitsStored=12, HighBit=11, WindowCenter=2000, WindowWidth=1500),
    "a window of one": grey(TWELVE, BitsStored=12, HighBit=11, WindowCenter=2000.5, WindowWidth=1),
    "two windows": grey(TWELVE, BitsStored=12, HighBit=11, WindowCenter=[2000, 100], WindowWidth=[1500, 9]),
    "an exact window": grey(
        TWELVE, BitsStored=12, HighBit=11, WindowCenter=2000, WindowWidth=1500, VOILUTFunction="LINEAR_EXACT"
    ),
    "a sigmoid": grey(TWELVE, BitsStored=12, HighBit=11, WindowCenter=2000, WindowWidth=1500, VOILUTFunction="SIGMOID"),
    "an inverse window": pictures.dicom(
        TWELVE, "MONOCHROME1", BitsStored=12, HighBit=11, WindowCenter=2000, WindowWidth=1500
    ),
    "rescaled by one": grey(GREY, RescaleSlope=1, RescaleIntercept=0),
    "rescaled": grey(TWELVE, BitsStored=12, HighBit=11, RescaleSlope=0.5, RescaleIntercept=-100),
    "rescaled and a window": grey(
        TWELVE,
        BitsStored=12,
        HighBit=11,
        RescaleSlope=2,
        RescaleIntercept=-1000,
        WindowCenter=3000,
        WindowWidth=2000,
    ),
    "a modality table": grey(
        TWELVE, BitsStored=12, HighBit=11, ModalityLUTSequence=table_sequence(CURVE, 0, ModalityLUTType="US")
    ),
    "a VOI table": grey(TWELVE, BitsStored=12, HighBit=11, VOILUTSequence=table_sequence(CURVE, 0)),
}


@pytest.mark.parametrize("name", GREYS_OF_PYDICOM)
def test_grey__is_what_pydicom_shows(name: str) -> None:
    data = GREYS_OF_PYDICOM[name]
    shown = np.asarray(read_image(data)).astype(float)
    assert np.abs(shown - pydicoms_grey(data)).max() <= 1
    assert np.ptp(shown) > 100, "a picture, not one grey"


DEEP = np.repeat(PALETTE, 20, axis=0)
BIG_INDEXES = INDEXES.astype(np.uint16) * 20
SHOWN: dict[str, tuple[bytes, Pixels, float]] = {
    # Window and rescaling that say nothing: the picture is shown as without them.
    "empty window": (grey(GREY, WindowCenter=None, WindowWidth=None), GREY[..., None], 0),
    "empty width": (grey(GREY, WindowCenter=100, WindowWidth=None), GREY[..., None], 0),
    "lone width": (grey(GREY, WindowWidth=100), GREY[..., None], 0),
    "zero width": (grey(GREY, WindowCenter=0, WindowWidth=0), GREY[..., None], 0),
    "negative width": (grey(GREY, WindowCenter=90, WindowWidth=-20), GREY[..., None], 0),
    "zero exact width": (
        grey(GREY, WindowCenter=90, WindowWidth=0, VOILUTFunction="LINEAR_EXACT"),
        GREY[..., None],
        0,
    ),
    "empty VOI function": (
        grey(GREY, WindowCenter=128, WindowWidth=256, VOILUTFunction=None),
        GREY[..., None],
        1,
    ),
    "empty slope": (grey(GREY, RescaleSlope=None, RescaleIntercept=None), GREY[..., None], 0),
    "slope without intercept": (grey(GREY, RescaleSlope=2), GREY[..., None], 0),
    "intercept without slope": (grey(GREY, RescaleIntercept=-50), GREY[..., None], 0),
    "empty intercept": (grey(GREY, RescaleSlope=2, RescaleIntercept=None), GREY[..., None], 0),
    "slope of zero": (grey(GREY, RescaleSlope=0, RescaleIntercept=0), GREY[..., None], 0),
    "empty tables": (
        grey(GREY, ModalityLUTSequence=pydicom.Sequence([]), VOILUTSequence=pydicom.Sequence([])),
        GREY[..., None],
        0,
    ),
    "bits at the top of the word": (
        grey(GREY.astype(np.uint16) << 8, BitsStored=8, HighBit=15),
        GREY[..., None],
        0,
    ),
    # Palettes.
    "palette": (palette(INDEXES, PALETTE, 8), COLOURED, 0),
    "palette of 16 bits": (palette(INDEXES, PALETTE.astype("<u2") * 257, 16), COLOURED, 0),
    "palette of 16 bits with 8": (palette(INDEXES, PALETTE.astype("<u2"), 16), COLOURED, 0),
    "palette of 16 bits with bytes": (palette(INDEXES, PALETTE, 16), COLOURED, 0),
    "palette of 8 bits in words": (palette(INDEXES, PALETTE.astype("<u2"), 8), COLOURED, 0),
    "palette of an odd number": (
        palette(np.minimum(INDEXES, 198), PALETTE[:199], 8),
        PALETTE[np.minimum(INDEXES, 198)],
        0,
    ),
    "palette of thousands": (palette(BIG_INDEXES, DEEP, 8), COLOURED, 0),
    "palette that begins later": (palette(INDEXES + np.uint8(20), PALETTE, 8, first=20), COLOURED, 0),
    "palette in big endian": (
        palette(INDEXES.astype(">u2"), (PALETTE.astype(np.uint16) * 257).astype(">u2"), 16, syntax=ExplicitVRBigEndian),
        COLOURED,
        0,
    ),
    # Colours. A label is often wrong; the JPEG's own markers are not.
    "rgb": (pictures.dicom(RGB), RGB, 0),
    "rgb of 16 bits": (pictures.dicom(RGB.astype(np.uint16) * 257), RGB, 0),
    "rgb of 12 bits": (pictures.dicom(RGB.astype(np.uint16) * 16, BitsStored=12, HighBit=11), RGB, 0),
    "rgb big endian": (
        pictures.dicom((RGB.astype(np.uint16) * 257).astype(">u2"), syntax=ExplicitVRBigEndian),
        RGB,
        0,
    ),
    "ybr": (pictures.dicom(YBR, "YBR_FULL"), RGB, 2),
    "jpeg, JFIF, labelled YBR": (framed(jpeg(RGB, mark=True), "YBR_FULL"), RGB, 2),
    "jpeg, JFIF, labelled RGB": (framed(jpeg(RGB, mark=True), "RGB"), RGB, 2),
    "jpeg, no mark, labelled YBR": (framed(jpeg(RGB, mark=False), "YBR_FULL_422"), RGB, 2),
    "jpeg, no mark, subsampled, labelled RGB": (framed(jpeg(RGB, mark=False, subsampling=2), "RGB"), RGB, 2),
    "jpeg, no mark, ids of RGB": (framed(renumbered(untransformed(), b"RGB"), "RGB"), RGB, 2),
    "jpeg, no mark, ids 0 1 2, labelled RGB": (framed(renumbered(untransformed(), bytes(range(3))), "RGB"), RGB, 2),
    "jpeg, Adobe, RGB": (
        framed(pictures.saved(PLAIN, "JPEG", quality=98, keep_rgb=True), "RGB"),
        RGB,
        2,
    ),
    "jpeg, Adobe, RGB, labelled YBR": (
        framed(pictures.saved(PLAIN, "JPEG", quality=98, keep_rgb=True), "YBR_FULL"),
        RGB,
        2,
    ),
    "jpeg 2000": (
        pictures.dicom(RGB, syntax=JPEG2000Lossless, frame=pictures.saved(PLAIN, "JPEG2000", no_jp2=True)),
        RGB,
        2,
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_dicom__shows_the_picture(name: str) -> None:
    data, expected, tolerance = SHOWN[name]
    image = read_image(data)
    assert (image.mode, image.size, image.info) == ("RGB", PLAIN.size, {})
    assert np.abs(np.asarray(image).astype(float) - expected).mean() <= tolerance


OF_PYDICOM = {
    "SC_rgb_rle.dcm": "rgb",
    "SC_rgb_rle_16bit.dcm": "rgb",
    "SC_rgb_jpeg_dcmtk.dcm": "rgb",
    "SC_rgb_dcmtk_+eb+cr.dcm": "rgb",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm": "rgb",
    "SC_rgb_dcmtk_+eb+cy+np.dcm": "rgb",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm": "rgb",
    "SC_jpeg_no_color_transform.dcm": "rgb",
    "SC_jpeg_no_color_transform_2.dcm": "rgb",
    "SC_rgb_jpeg_lossy_gdcm.dcm": "rgb",
    "SC_rgb_gdcm_KY.dcm": "rgb",
    "SC_ybr_full_422_uncompressed.dcm": "rgb",
    "SC_rgb_small_odd.dcm": "rgb",
    "ExplVR_BigEnd.dcm": "rgb",
    "examples_rgb_color.dcm": "rgb",
    "examples_jpeg2k.dcm": "rgb",
    "examples_palette.dcm": "palette",
    "examples_overlay.dcm": "grey",
}


@pytest.mark.parametrize("name", OF_PYDICOM)
def test_dicom__files_of_pydicom_show_what_pydicom_reads(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"this pydicom ships no {name}")
    data = Path(str(path)).read_bytes()
    dataset = pydicom.dcmread(io.BytesIO(data))
    values = dataset.pixel_array
    if OF_PYDICOM[name] == "palette":
        values = apply_color_lut(values, dataset)
    if OF_PYDICOM[name] == "grey":
        expected = pydicoms_grey(data)
    else:
        expected = values >> (8 * values.itemsize - 8) if values.itemsize > 1 else values
    shown = np.asarray(read_image(data, SMALL)).astype(float)
    assert np.abs(shown - expected).mean() <= 2


REFUSED: dict[str, tuple[bytes, type[CasekinError], str]] = {
    "jpeg that could be either": (
        framed(jpeg(RGB, mark=False), "RGB"),
        UnsupportedImage,
        "labelled RGB.*neither a JFIF nor an Adobe marker",
    ),
    "photometric of another kind": (
        pictures.dicom(RGB, "HSV"),
        UnsupportedImage,
        "photometric interpretation HSV",
    ),
    "YBR_PARTIAL_420": (framed(jpeg(RGB, mark=True), "YBR_PARTIAL_420"), UnsupportedImage, "YBR_PARTIAL_420"),
    "jpeg of another size": (
        framed(jpeg(RGB[:100], mark=True), "YBR_FULL"),
        CorruptImage,
        "says 200 x 150 pixels, its JPEG has 200 x 100",
    ),
    "unknown VOI function": (
        grey(GREY, WindowCenter=128, WindowWidth=256, VOILUTFunction="CUBIC"),
        UnsupportedImage,
        "VOI LUT function CUBIC",
    ),
    "palette cut short": (
        palette(INDEXES, PALETTE[:90], 8).replace(b"\x5a\x00\x00\x00\x08\x00", b"\xc8\x00\x00\x00\x08\x00"),
        CorruptImage,
        "palette has 90 bytes for 200 entries",
    ),
    "many scans": (
        framed(pictures.saved(PLAIN, "JPEG", progressive=True), "YBR_FULL"),
        UnsupportedImage,
        "scans; the limit is 2",
    ),
    "run lengths of a broken frame": (
        pictures.dicom(RGB, syntax=RLELossless, frame=b"\1" * 200),
        CorruptImage,
        "DICOM",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_dicom__refuses_in_words(name: str) -> None:
    data, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words) as caught:
        read_image(data, ImageLimits(scans=2))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("JPGExtended.dcm", "JPEG of 12 bits"),
        ("JPEGLSNearLossless_08.dcm", "JPEG-LS"),
        ("examples_ybr_color.dcm", "holds 30 frames"),
        ("rtplan.dcm", "holds no image"),
        ("ExplVR_LitEndNoMeta.dcm", "DICOM data without the header"),
        ("ExplVR_BigEndNoMeta.dcm", "DICOM data without the header"),
        ("image_dfl.dcm", "Deflated"),
    ],
)
def test_dicom__refuses_files_of_pydicom_in_words(name: str, words: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"this pydicom ships no {name}")
    with pytest.raises(UnsupportedImage, match=words):
        read_image(Path(str(path)).read_bytes(), SMALL)
