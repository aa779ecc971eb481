"""DICOM files show the plain picture whatever their photometric interpretation; what cannot be decoded is named."""

import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from casekin.errors import CasekinError, CorruptImage, UnsupportedImage, UploadTooLarge
from casekin.imaging.read import read_image
from tests import pictures

PLAIN = pictures.lesion()
PIXELS = np.asarray(PLAIN)
GREY = np.asarray(PLAIN.convert("L"))
YBR = np.asarray(PLAIN.convert("YCbCr"))
WIDE = GREY.astype(np.uint16) * 16
"""Twelve bits of sixteen."""

GOOD = {
    "rgb": (pictures.dicom(PIXELS), PIXELS, 0),
    "rgb implicit": (pictures.dicom(PIXELS, syntax=ImplicitVRLittleEndian), PIXELS, 0),
    "rgb by planes": (
        pictures.dicom(PIXELS, PlanarConfiguration=1, PixelData=PIXELS.transpose(2, 0, 1).tobytes()),
        PIXELS,
        0,
    ),
    "ybr": (pictures.dicom(YBR, "YBR_FULL"), PIXELS, 2),
    "jpeg baseline": (
        pictures.dicom(
            PIXELS,
            "YBR_FULL_422",
            syntax=JPEGBaseline8Bit,
            frame=pictures.saved(PLAIN, "JPEG", quality=98),
        ),
        PIXELS,
        2,
    ),
    "jpeg 2000": (
        pictures.dicom(
            PIXELS, "YBR_RCT", syntax=JPEG2000Lossless, frame=pictures.saved(PLAIN, "JPEG2000", no_jp2=True)
        ),
        PIXELS,
        2,
    ),
    "monochrome 2": (pictures.dicom(GREY, "MONOCHROME2"), GREY[..., None], 0),
    "monochrome 1": (pictures.dicom(255 - GREY, "MONOCHROME1"), GREY[..., None], 0),
    "twelve bits": (pictures.dicom(WIDE, "MONOCHROME2", BitsStored=12, HighBit=11), GREY[..., None], 1),
    "a window": (
        pictures.dicom(WIDE + np.uint16(1000), "MONOCHROME2", WindowCenter=1000 + 2040.5, WindowWidth=4081),
        GREY[..., None],
        1,
    ),
    "rescaled": (
        pictures.dicom(
            WIDE, "MONOCHROME2", RescaleSlope=0.5, RescaleIntercept=-7, WindowCenter=1013.5, WindowWidth=2041
        ),
        GREY[..., None],
        1,
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_read_image__shows_the_plain_picture(name: str) -> None:
    data, expected, tolerance = GOOD[name]
    image = read_image(data)
    assert (image.mode, image.size, image.info) == ("RGB", PLAIN.size, {})
    assert np.abs(np.asarray(image).astype(float) - expected).mean() <= tolerance


HUGE_JPEG = pictures.saved(Image.new("L", (8000, 8000)), "JPEG")
BAD: dict[str, tuple[bytes, type[CasekinError], str]] = {
    "a syntax without decoder": (
        pictures.dicom(PIXELS, syntax=JPEGLosslessSV1, frame=b"\xff\xd8\xff\xd9"),
        UnsupportedImage,
        r"JPEG Lossless.*1\.2\.840\.10008\.1\.2\.4\.70",
    ),
    "deflated": (
        pictures.dicom(PIXELS, syntax=DeflatedExplicitVRLittleEndian),
        UnsupportedImage,
        "Deflated Explicit VR Little Endian",
    ),
    "many frames": (
        pictures.dicom(PIXELS, NumberOfFrames=3, PixelData=PIXELS.tobytes() * 3),
        UnsupportedImage,
        "holds 3 frames",
    ),
    "huge": (pictures.dicom(GREY, "MONOCHROME2", Rows=30_000, Columns=30_000), UploadTooLarge, "900 megapixels"),
    "huge inside": (
        pictures.dicom(GREY, "MONOCHROME2", syntax=JPEGBaseline8Bit, frame=HUGE_JPEG),
        UploadTooLarge,
        "8000 x 8000 pixels, 64 megapixels",
    ),
    "truncated": (pictures.dicom(PIXELS)[:-1000], CorruptImage, "DICOM"),
    "too few pixels": (pictures.dicom(PIXELS, PixelData=b"\0" * 100), CorruptImage, "DICOM"),
    "header only": (b"\0" * 128 + b"DICM", CorruptImage, "DICOM"),
    "noise": (b"\0" * 128 + b"DICM" + bytes(range(256)) * 4, CorruptImage, "DICOM"),
    "bad run lengths": (pictures.dicom(PIXELS, syntax=RLELossless, frame=b"\1" * 200), CorruptImage, "DICOM"),
}


@pytest.mark.parametrize("name", BAD)
def test_read_image__refuses(name: str) -> None:
    data, kind, said = BAD[name]
    with pytest.raises(kind, match=said) as caught:
        read_image(data)
    assert type(caught.value) is kind


def test_read_image__no_pixels() -> None:
    data = pydicom.dcmread(io.BytesIO(pictures.dicom(PIXELS)))
    del data.PixelData
    file = io.BytesIO()
    data.save_as(file)
    with pytest.raises(UnsupportedImage, match="holds no image"):
        read_image(file.getvalue())


def test_read_image__never_quotes_values(
    recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    odd = pictures.dicom(WIDE, "MONOCHROME2", WindowCenter="2047.1234567890123456", WindowWidth=4096)
    read_image(odd)
    assert [str(warning.message) for warning in recwarn] == []
    assert caplog.text == ""
