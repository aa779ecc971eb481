"""Odd images are read as the plain picture they show; bad ones are refused by name before they cost anything."""

import io
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.contracts.bundle import InputSpec
from casekin.errors import BadInput, CasekinError, CorruptImage, EmptyUpload, UnsupportedImage, UploadTooLarge
from casekin.imaging.jpeg import jpeg_structure
from casekin.imaging.read import ImageLimits, cover, fit, is_turned, read_image, share_seen
from tests import pictures

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
PLAIN = pictures.lesion()
PIXELS = np.asarray(PLAIN)
GREY = np.asarray(PLAIN.convert("L"))
EXACT, LOSSY = 0.0, 2.0


def _with_alpha(mode: str) -> bytes:
    faded = PLAIN.copy()
    faded.putalpha(128)
    return pictures.saved(faded.convert(mode), "PNG")


def _half_white(image: Image.Image) -> np.ndarray:
    rgb = np.asarray(image.convert("RGB")).astype(float)
    return rgb * 128 / 255 + 255 * (1 - 128 / 255)


GOOD = {
    "jpeg": (pictures.saved(PLAIN, "JPEG", quality=98), PIXELS, LOSSY),
    "progressive jpeg": (pictures.saved(PLAIN, "JPEG", quality=98, progressive=True), PIXELS, LOSSY),
    "grey jpeg": (pictures.saved(PLAIN.convert("L"), "JPEG", quality=98), GREY[..., None], LOSSY),
    "png": (pictures.saved(PLAIN, "PNG"), PIXELS, EXACT),
    "webp": (pictures.saved(PLAIN, "WEBP", quality=98), PIXELS, LOSSY),
    "lossless webp": (pictures.saved(PLAIN, "WEBP", lossless=True), PIXELS, EXACT),
    "cmyk as Adobe": (pictures.cmyk_jpeg(PLAIN), PIXELS, LOSSY),
    "cmyk plain": (pictures.plain_cmyk_jpeg(PLAIN), PIXELS, LOSSY),
    "16-bit grey png": (pictures.png_16_bit(GREY), GREY[..., None], EXACT),
    "16-bit rgb png": (pictures.png_16_bit(PIXELS), PIXELS, EXACT),
    "palette png": (pictures.saved(PLAIN.quantize(256), "PNG"), PIXELS, 3.0),
    "one bit png": (pictures.saved(PLAIN.convert("1"), "PNG"), np.asarray(PLAIN.convert("1").convert("RGB")), EXACT),
    "rgba png on white": (_with_alpha("RGBA"), _half_white(PLAIN), 1.0),
    "la png on white": (_with_alpha("LA"), _half_white(PLAIN.convert("L")), 1.0),
    "icc profile": (pictures.with_swapped_red_and_green(PLAIN), PIXELS, LOSSY),
    "damaged icc profile": (pictures.saved(PLAIN, "PNG", icc_profile=b"no profile at all"), PIXELS, EXACT),
    "damaged exif": (pictures.saved(PLAIN, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), PIXELS, EXACT),
    "one-frame mpo": (pictures.saved(PLAIN, "MPO", quality=98), PIXELS, LOSSY),
    **{f"exif {n}": (pictures.rotated_by_exif(PLAIN, n), PIXELS, LOSSY) for n in range(2, 9)},
    "exif 6 in png": (pictures.rotated_by_exif(PLAIN, 6, "PNG"), PIXELS, EXACT),
    "exif 8 in webp": (pictures.rotated_by_exif(PLAIN, 8, "WEBP"), PIXELS, 4.0),
}


@pytest.mark.parametrize("name", GOOD)
def test_read_image__shows_the_plain_picture(name: str) -> None:
    data, expected, tolerance = GOOD[name]
    image = read_image(data)
    assert (image.mode, image.size, image.info) == ("RGB", PLAIN.size, {})
    assert np.abs(np.asarray(image).astype(float) - expected).mean() <= tolerance


def test_read_image__keeps_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x8825] = "Secret Name", {1: "N"}
    image = read_image(pictures.saved(PLAIN, "JPEG", exif=exif, comment=b"Secret Name"))
    assert type(image) is Image.Image
    again = Image.open(io.BytesIO(pictures.saved(image, "JPEG")))
    assert not again.getexif()
    assert "comment" not in again.info


JPEG = pictures.saved(PLAIN, "JPEG", quality=98)
PNG = pictures.saved(PLAIN, "PNG")
WEBP = pictures.saved(PLAIN, "WEBP", quality=98)
TURNED = PLAIN.rotate(90)
BAD: dict[str, tuple[bytes, type[CasekinError], str]] = {
    "empty": (b"", EmptyUpload, "0 bytes"),
    "text": (b"this is no image\n", UnsupportedImage, "is text; send JPEG, PNG, WebP or DICOM"),
    "unknown": (bytes(range(256)), UnsupportedImage, "unknown type"),
    "gif": (pictures.saved(PLAIN, "GIF"), UnsupportedImage, "a GIF file"),
    "animated gif": (
        pictures.saved(PLAIN, "GIF", save_all=True, append_images=[TURNED]),
        UnsupportedImage,
        "a GIF file",
    ),
    "tiff": (pictures.saved(PLAIN, "TIFF"), UnsupportedImage, "a TIFF file"),
    "bmp": (pictures.saved(PLAIN, "BMP"), UnsupportedImage, "a BMP file"),
    "avif": (pictures.saved(PLAIN, "AVIF"), UnsupportedImage, r"HEIC, AVIF or video file \(avif\)"),
    "jpeg 2000": (pictures.saved(PLAIN, "JPEG2000"), UnsupportedImage, "a JPEG 2000 file"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedImage, "text"),
    "apng": (
        pictures.saved(PLAIN, "PNG", save_all=True, append_images=[TURNED]),
        UnsupportedImage,
        r"PNG is animated \(2 frames\)",
    ),
    "animated webp": (
        pictures.saved(PLAIN, "WEBP", save_all=True, append_images=[TURNED]),
        UnsupportedImage,
        r"WebP is animated \(2 frames\)",
    ),
    "jpeg without its last two bytes": (JPEG[:-2], CorruptImage, "JPEG"),
    "half a jpeg": (JPEG[: len(JPEG) // 2], CorruptImage, "truncated"),
    "jpeg header only": (JPEG[:200], CorruptImage, "JPEG"),
    "three bytes of jpeg": (JPEG[:3], CorruptImage, "JPEG"),
    "half a png": (PNG[: len(PNG) // 2], CorruptImage, "truncated"),
    "png header only": (PNG[:40], CorruptImage, "PNG"),
    "half a webp": (WEBP[: len(WEBP) // 2], CorruptImage, "WebP"),
    "webp header only": (WEBP[:16], CorruptImage, "WebP"),
    "extended webp header only": (b"RIFF\0\0\0\0WEBPVP8X\0\0", CorruptImage, "WebP"),
    "huge png": (pictures.huge_png(), UploadTooLarge, "30000 x 30000 pixels, 900 megapixels; the limit is 50 meg"),
    "huge webp": (
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0",
        UploadTooLarge,
        "16384 x 16384 pixels, 268 megapixels; the limit is 50 meg",
    ),
    "25 MB": (JPEG + b"\0" * 25_000_000, UploadTooLarge, r"25\.0 MB were sent; the limit is 20 MB"),
    "narrow": (
        pictures.saved(PLAIN.resize((31, 400)), "PNG"),
        BadInput,
        "31 x 400 pixels; each side needs at least 32",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_read_image__refuses(name: str) -> None:
    data, kind, said = BAD[name]
    with pytest.raises(kind, match=said) as caught:
        read_image(data)
    assert type(caught.value) is kind


def test_read_image__huge_costs_nothing() -> None:
    data = pictures.huge_png()
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # neither does Pillow's own limit, which is process-wide, get a say
        with pytest.raises(UploadTooLarge):
            read_image(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_read_image__just_within_the_limits() -> None:
    data = pictures.huge_png(1000)
    assert read_image(data, ImageLimits(megapixels=1)).size == (1000, 1000)
    with pytest.raises(UploadTooLarge):
        read_image(data, ImageLimits(megapixels=0.99))


def test_read_image__many_scans() -> None:
    data = pictures.saved(PLAIN, "JPEG", progressive=True)
    with pytest.raises(UnsupportedImage, match=r"scans; the limit is 2"):
        read_image(data, ImageLimits(scans=2))


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


SCANS = b"\xff\xda" * 500
"""What looks like five hundred scans, as a video does by chance."""
TRAILING = {
    "a video": b"\0\0\0\x1cftypisom" + SCANS,
    "another jpeg": JPEG + SCANS,
    "noise": bytes(range(256)) * 8 + SCANS,
    "zeros": bytes(5000),
    "a trailer of a phone": b"SEFHk\0\0\0" + SCANS + b"SEFT",
}


@pytest.mark.parametrize("what", TRAILING)
@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_read_image__a_jpeg_with_something_behind_it(what: str, kind: str) -> None:
    image = pictures.saved(PLAIN, "JPEG", quality=98, progressive=kind == "progressive")
    found = np.asarray(read_image(image + TRAILING[what])).astype(float)
    assert np.array_equal(found, np.asarray(read_image(image)))


def test_read_image__scans_in_metadata_are_none_of_the_image() -> None:
    preview = _segment(0xE1, b"Exif\0\0" + SCANS) + _segment(0xE2, b"MPF\0" + SCANS) + _segment(0xFE, SCANS)
    assert np.array_equal(read_image(JPEG[:2] + preview + JPEG[2:]), read_image(JPEG))


def test_read_image__fill_bytes_before_a_marker_hide_no_scan() -> None:
    data = pictures.saved(PLAIN, "JPEG", progressive=True).replace(b"\xff\xda", b"\xff\xff\xff\xda")
    with pytest.raises(UnsupportedImage, match=r"the JPEG has \d+ scans; the limit is 2"):
        read_image(data, ImageLimits(scans=2))


def test_read_image__restart_markers_end_no_scan() -> None:
    data = pictures.saved(PLAIN, "JPEG", quality=98, restart_marker_blocks=1)
    assert data.count(b"\xff\xd0") > 10
    assert read_image(data, ImageLimits(scans=1)).size == PLAIN.size
    scans = jpeg_structure(pictures.saved(PLAIN, "JPEG", progressive=True)).scans
    restarting = pictures.saved(PLAIN, "JPEG", progressive=True, restart_marker_blocks=1)
    assert all(restarting.count(bytes([0xFF, marker])) for marker in range(0xD0, 0xD8))
    assert jpeg_structure(restarting).scans == scans > 5


@pytest.mark.parametrize(("size", "fits"), [(20_000_000, True), (20_000_001, False), (20 << 20, False)])
def test_read_image__twenty_megabytes_are_of_a_million_bytes(size: int, fits: bool) -> None:
    data = JPEG.ljust(size, b"\0")
    if fits:
        assert read_image(data).size == PLAIN.size
        return
    with pytest.raises(UploadTooLarge, match="the limit is 20 MB"):
        read_image(data)


@pytest.mark.parametrize(("side", "fits"), [(32, True), (31, False)])
def test_read_image__least_side(side: int, fits: bool) -> None:
    for size in ((side, 400), (400, side)):
        data = pictures.saved(PLAIN.resize(size), "PNG")
        if fits:
            assert read_image(data).size == size
        else:
            with pytest.raises(BadInput, match="each side needs at least 32"):
                read_image(data)


def test_read_image__scans_up_to_the_limit() -> None:
    data = pictures.saved(PLAIN, "JPEG", progressive=True)
    scans = jpeg_structure(data).scans
    assert read_image(data, ImageLimits(scans=scans)).size == PLAIN.size
    with pytest.raises(UnsupportedImage, match=f"the JPEG has {scans} scans"):
        read_image(data, ImageLimits(scans=scans - 1))


def test_read_image__in_many_threads() -> None:
    names = list(GOOD)
    wrong = []

    def work(name: str) -> None:
        data, expected, tolerance = GOOD[name]
        if np.abs(np.asarray(read_image(data)).astype(float) - expected).mean() > tolerance:
            wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in names * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_read_image__real(ham10000_full: Path) -> None:
    paths = sorted(ham10000_full.glob("*.jpg"))
    assert len(paths) >= 60
    assert {read_image(path.read_bytes()).size for path in paths} == {(600, 450)}


def _ramps(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return Image.fromarray(np.stack([(x + 1) * 127, (y + 1) * 127, np.full_like(x, 80)], axis=-1).astype(np.uint8))


LANDSCAPE = InputSpec(height=48, width=64, resample="bilinear")


@pytest.mark.parametrize("size", [(200, 150), (600, 450), (601, 450), (599, 450), (97, 61), (300, 300), (400, 61)])
def test_cover__takes_the_middle(size: tuple[int, int]) -> None:
    found = np.asarray(cover(_ramps(*size), LANDSCAPE)).astype(float)
    assert found.shape == (48, 64, 3)
    # The middle stays in the middle, and the ramps lose no more than the crop takes.
    assert np.allclose(found.mean(axis=(0, 1)), [127, 127, 80], atol=1.5)
    kept = min(size[0] / 64, size[1] / 48) * np.array([64, 48]) / size
    spread = [np.ptp(found[..., 0].mean(axis=0)), np.ptp(found[..., 1].mean(axis=1))]
    assert np.allclose(spread, 254 * kept * (1 - 1 / np.array([64, 48])), atol=5)
    assert share_seen(_ramps(*size), LANDSCAPE) == pytest.approx(kept.prod())


@pytest.mark.parametrize("size", [(450, 600), (150, 200), (61, 97), (33, 2000)])
def test_cover__turns_a_portrait_image_and_loses_nothing_by_it(size: tuple[int, int]) -> None:
    upright = _ramps(*size)
    assert is_turned(upright, LANDSCAPE)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    assert np.array_equal(cover(upright, LANDSCAPE), cover(turned, LANDSCAPE))
    assert share_seen(upright, LANDSCAPE) == share_seen(turned, LANDSCAPE)
    if size[0] * 4 == size[1] * 3:
        assert share_seen(upright, LANDSCAPE) == 1


def test_cover__turns_a_landscape_image_for_a_portrait_input() -> None:
    portrait = InputSpec(height=64, width=48, resample="bilinear")
    found = np.asarray(cover(_ramps(400, 300), portrait)).astype(float)
    assert found.shape == (64, 48, 3)
    assert found[0, :, 0].min() > 245, "the right edge is on top"
    assert not is_turned(_ramps(300, 400), portrait)


@pytest.mark.parametrize("spec", [LANDSCAPE, InputSpec(height=50, width=50, resample="bilinear")])
def test_cover__leaves_a_square_image_as_it_is(spec: InputSpec) -> None:
    assert not is_turned(_ramps(90, 90), spec)
    assert np.ptp(np.asarray(cover(_ramps(90, 90), spec)).astype(float)[..., 0].mean(axis=0)) > 240


def test_fit__values() -> None:
    spec = InputSpec(height=150, width=200, resample="bicubic")
    found = fit(PLAIN, spec)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.array_equal(found, (PIXELS / np.float32(255)).transpose(2, 0, 1).astype(np.float32))
