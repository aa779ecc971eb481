"""``POST /v1/encode``: odd images get the plain picture's latent, bad ones a named problem; the service lives on."""

import asyncio
import base64
import io
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from PIL import Image, ImageFilter

from casekin.bundle import open_bundle, read_manifest
from casekin.contracts.encoder import EncodeResponse
from casekin.contracts.problem import Problem
from casekin.errors import BundleRefused, Unavailable
from casekin.imaging.read import fit, read_image
from services.encoder.app import create_app
from services.encoder.encoding import encode_upload
from services.encoder.model import Model as ServedModel
from services.encoder.settings import EncoderSettings
from services.encoder.workers import Workers
from tests import pictures
from tests.tiny_bundle import build_tiny_bundle

PLAIN = pictures.lesion()
PIXELS = np.asarray(PLAIN)
JPEG = pictures.saved(PLAIN, "JPEG", quality=98)
PNG = pictures.saved(PLAIN, "PNG")


async def encode(http: httpx.AsyncClient, data: bytes, **params: Any) -> EncodeResponse:
    response = await http.post("/v1/encode", content=data, params=params)
    assert response.status_code == 200, response.text
    return EncodeResponse.model_validate_json(response.content)


async def test_encode__equals_onnxruntime(http: httpx.AsyncClient, tiny_bundle: Path) -> None:
    answer = await encode(http, PNG)
    manifest = read_manifest(tiny_bundle)
    pixels = fit(read_image(PNG), manifest.input)
    mean, log_variance = ort.InferenceSession(tiny_bundle / "encoder.onnx").run(None, {"image": pixels[None]})
    expected = [(m - d.mean) / d.std for m, d in zip(mean[0], manifest.dimensions, strict=True)]
    head = ort.InferenceSession(tiny_bundle / "head.onnx")
    (probabilities,) = head.run(None, {"latent": np.array([expected], np.float32)})
    assert answer.bundle_version == manifest.version
    assert answer.latent == pytest.approx(expected, abs=1e-5)
    assert answer.log_variance == pytest.approx(log_variance[0].tolist())
    assert list(answer.probabilities) == manifest.classes
    assert list(answer.probabilities.values()) == pytest.approx(probabilities[0].tolist(), abs=1e-5)


async def test_encode__measures_what_the_picture_shows(http: httpx.AsyncClient) -> None:
    answer = await encode(http, PNG)
    middle = PIXELS.mean(axis=(0, 1)) / 255
    found = np.array(answer.latent[:3]) * [0.09, 0.11, 0.13] + [0.76, 0.55, 0.57]
    assert found == pytest.approx(middle, abs=0.004)


GOOD = {
    "jpeg": JPEG,
    "webp": pictures.saved(PLAIN, "WEBP", quality=98),
    "cmyk jpeg": pictures.cmyk_jpeg(PLAIN),
    "cmyk jpeg without Adobe marker": pictures.plain_cmyk_jpeg(PLAIN),
    "16-bit png": pictures.png_16_bit(PIXELS),
    "dicom": pictures.dicom(PIXELS),
    "opaque rgba": pictures.saved(PLAIN.convert("RGBA"), "PNG"),
    "exif 3": pictures.rotated_by_exif(PLAIN, 3),
    "exif 6": pictures.rotated_by_exif(PLAIN, 6),
    "exif 8": pictures.rotated_by_exif(PLAIN, 8),
}


@pytest.mark.parametrize("name", GOOD)
async def test_encode__odd_image_has_the_plain_latent(http: httpx.AsyncClient, name: str) -> None:
    plain, odd = await encode(http, PNG), await encode(http, GOOD[name])
    assert odd.latent == pytest.approx(plain.latent, abs=0.03)
    assert (odd.quality.width, odd.quality.height) == PLAIN.size


async def test_encode__16_bit_grey_has_the_latent_of_8_bit(http: httpx.AsyncClient) -> None:
    grey = PLAIN.convert("L")
    plain = await encode(http, pictures.saved(grey, "PNG"))
    assert (await encode(http, pictures.png_16_bit(np.asarray(grey)))).latent == pytest.approx(plain.latent, abs=1e-5)


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
async def test_encode__a_portrait_image_is_turned_not_cropped(http: httpx.AsyncClient, turn: Image.Transpose) -> None:
    """The crop lost 44 % of it; the tiny bundle measures colours, which then change."""
    plain = await encode(http, PNG)
    upright = await encode(http, pictures.saved(PLAIN.transpose(turn), "PNG"))
    assert upright.latent == pytest.approx(plain.latent, abs=0.05)
    assert (upright.quality.width, upright.quality.height) == (150, 200)
    assert (upright.quality.turned, plain.quality.turned) == (True, False)
    assert upright.quality.warnings == plain.quality.warnings
    assert opened(upright).size == (64, 48), "the reconstruction is of what was encoded"


BAD = {
    "text named .jpg": (b"not an image\n" * 50, 422, "unsupported-image", "text"),
    "empty": (b"", 422, "empty-upload", "0 bytes"),
    "truncated jpeg": (JPEG[: len(JPEG) // 2], 422, "corrupt-image", "JPEG"),
    "truncated png": (PNG[: len(PNG) // 2], 422, "corrupt-image", "PNG"),
    "huge png": (pictures.huge_png(), 413, "upload-too-large", "900 megapixels; the limit is 50"),
    "25 MB": (JPEG + bytes(25_000_000 - len(JPEG)), 413, "upload-too-large", "25.0 MB were sent; the limit is 20 MB"),
    "animated gif": (
        pictures.saved(PLAIN, "GIF", save_all=True, append_images=[PLAIN.rotate(90)]),
        422,
        "unsupported-image",
        "GIF",
    ),
    "apng": (
        pictures.saved(PLAIN, "PNG", save_all=True, append_images=[PLAIN.rotate(90)]),
        422,
        "unsupported-image",
        "animated",
    ),
    "tiny": (pictures.saved(PLAIN.resize((8, 6)), "PNG"), 422, "bad-input", "8 x 6 pixels"),
    "broken dicom": (pictures.dicom(PIXELS)[:-5000], 422, "corrupt-image", "DICOM"),
}


@pytest.mark.parametrize("name", BAD)
async def test_encode__bad_input(http: httpx.AsyncClient, name: str) -> None:
    data, status, code, said = BAD[name]
    response = await http.post("/v1/encode", content=data, headers={"Content-Type": "image/jpeg"})
    problem = Problem.model_validate_json(response.content)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem.status, problem.code) == (status, status, code)
    assert said in problem.detail
    assert (await encode(http, PNG)).latent, "the service answers after it"


async def test_encode__stops_reading_an_endless_body(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 200_000_000:
            sent += 1_000_000
            yield bytes(1_000_000)

    response = await http.post("/v1/encode", content=endless())
    assert Problem.model_validate_json(response.content).code == "upload-too-large"
    assert sent <= 22_000_000


def opened(answer: EncodeResponse) -> Image.Image:
    assert answer.reconstruction is not None
    return Image.open(io.BytesIO(base64.b64decode(answer.reconstruction.partition(";base64,")[2])))


async def test_encode__reconstruction(http: httpx.AsyncClient) -> None:
    answer = await encode(http, PNG)
    assert answer.reconstruction is not None
    image = Image.open(io.BytesIO(base64.b64decode(answer.reconstruction.removeprefix("data:image/jpeg;base64,"))))
    shown = np.asarray(image).astype(float)
    small = np.asarray(PLAIN.resize(image.size)).astype(float)
    assert image.size == (64, 48)
    assert answer.quality.reconstruction_error == pytest.approx(np.mean(((shown - small) / 255) ** 2), rel=0.05)
    without = await encode(http, PNG, reconstruction=False)
    assert without.reconstruction is None
    assert without.quality.reconstruction_error is None
    assert without.latent == answer.latent


async def test_encode__ordinary_picture_has_no_warnings(http: httpx.AsyncClient, ham10000_full: Path) -> None:
    for path in sorted(ham10000_full.glob("*.jpg"))[:10]:
        answer = await encode(http, path.read_bytes(), reconstruction=False)
        assert (answer.quality.width, answer.quality.height, answer.quality.warnings) == (600, 450, [])


HALVES = np.zeros((150, 200, 3), np.uint8)
HALVES[:, :100] = 255


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (PLAIN.filter(ImageFilter.GaussianBlur(25)), "Blurred"),
        (PLAIN.point(lambda value: value * 0.1), "Very dark"),
        (PLAIN.point(lambda value: 245 + value // 25), "Very bright"),
        (PLAIN.resize((50, 40)), "Small image: 50 x 40 pixels"),
        (PLAIN.resize((40, 50)), "Small image: 40 x 50 pixels"),
        (PLAIN.resize((400, 100)), "the model looks at the middle 33 % of it"),
        (Image.fromarray(HALVES), "Poorly reconstructed"),
    ],
)
async def test_encode__warnings(http: httpx.AsyncClient, image: Image.Image, said: str) -> None:
    warnings = (await encode(http, pictures.saved(image, "PNG"))).quality.warnings
    assert any(said in warning for warning in warnings), warnings


async def test_encode__upload_reaches_neither_disk_nor_log(
    http: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    written, watching = [], True

    def noting(event: str, details: tuple[Any, ...]) -> None:
        if watching and event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR):
            written.append(details[0])

    sys.addaudithook(noting)  # sees every opening of a file in this process, from whichever library
    exif = Image.Exif()
    exif[0x010E] = "Secret Name"
    for data in (pictures.saved(PLAIN, "JPEG", exif=exif), pictures.dicom(PIXELS), b"Secret Name"):
        await http.post("/v1/encode?patient=Secret", content=data)
    watching = False
    assert written == []
    assert "Secret" not in "".join(capfd.readouterr())


async def test_encode__many_at_once(http: httpx.AsyncClient) -> None:
    first = await encode(http, PNG)
    answers = await asyncio.gather(*(encode(http, PNG) for _ in range(40)))
    assert all(answer == first for answer in answers)


@pytest.mark.parametrize(("concurrency", "waiting"), [(1, 0), (1, 2), (2, 1)])
def test_workers__admit_as_many_as_work_and_wait(concurrency: int, waiting: int) -> None:
    workers = Workers(concurrency=concurrency, waiting=waiting)
    with ExitStack() as stack:
        for _ in range(concurrency + waiting):
            stack.enter_context(workers.admitted())
        with pytest.raises(Unavailable, match=f"{waiting} requests wait, which is the limit"), workers.admitted():
            pass
    with pytest.raises(KeyError), workers.admitted():
        raise KeyError("a request that fails gives its place back too")
    with ExitStack() as stack:
        for _ in range(concurrency + waiting):
            stack.enter_context(workers.admitted())


async def test_encode__one_more_than_may_wait_is_sent_away_before_its_upload_is_read(tiny_bundle: Path) -> None:
    app: FastAPI = create_app(EncoderSettings(bundle=tiny_bundle, concurrency=1, waiting=2))
    go, read = asyncio.Event(), []

    async def slow(number: int) -> AsyncIterator[bytes]:
        await go.wait()
        read.append(number)
        yield PNG

    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://encoder", timeout=60) as http:
            first = [asyncio.create_task(http.post("/v1/encode", content=slow(number))) for number in range(3)]
            await asyncio.sleep(0.1)
            late = await http.post("/v1/encode", content=slow(3))
            assert Problem.model_validate_json(late.content).code == "unavailable"
            assert late.headers["retry-after"] == "1"
            go.set()
            assert [response.status_code for response in await asyncio.gather(*first)] == [200] * 3
            assert sorted(read) == [0, 1, 2]
            assert (await encode(http, PNG)).latent


async def test_encode__probabilities_are_in_the_order_of_the_bundles_classes(tiny_bundle: Path, tmp_path: Path) -> None:
    """The classes of most bundles are in the order of the alphabet, which would hide a wrong one."""
    folder = shutil.copytree(tiny_bundle, tmp_path / "other")
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["classes"] = ["vasc", "mel", "akiec", "nv", "bcc", "df", "bkl"]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    plain = encode_upload(ServedModel(open_bundle(tiny_bundle)), PNG, reconstruct=False)
    other = encode_upload(ServedModel(open_bundle(folder)), PNG, reconstruct=False)
    assert list(other.probabilities) == manifest["classes"]
    assert list(other.probabilities.values()) == list(plain.probabilities.values())


async def test_encode__a_bundle_changed_under_a_running_encoder_changes_no_answer(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "live")
    app = create_app(EncoderSettings(bundle=folder))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://encoder") as http:
        before, model = await encode(http, PNG), (await http.get("/v1/model")).json()
        build_tiny_bundle(folder, version="tiny-2")
        for file in folder.glob("*.onnx"):
            file.write_bytes(b"changed")
        assert await encode(http, PNG) == before
        assert (await http.get("/v1/model")).json() == model


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "head.onnx"])
def test_model__a_bundle_changed_between_check_and_load_is_refused(
    tiny_bundle: Path, tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "live")
    bundle = open_bundle(folder)
    graph = onnx.load(folder / name)
    graph.producer_name = "another"
    onnx.save(graph, folder / name)
    with pytest.raises(BundleRefused, match=f"{name}: expected sha256 .*changed or damaged"):
        ServedModel(bundle)
    (folder / name).unlink()
    with pytest.raises(BundleRefused, match=f"{name}: expected a file .*found none"):
        ServedModel(bundle)


@pytest.mark.parametrize(("size", "status"), [(20_000_000, 200), (20_000_001, 413), (20 << 20, 413)])
@pytest.mark.parametrize("announced", [True, False])
async def test_encode__takes_twenty_million_bytes_and_not_one_more(
    http: httpx.AsyncClient, size: int, status: int, announced: bool
) -> None:
    data = JPEG.ljust(size, b"\0")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 1 << 20):
            yield data[start : start + (1 << 20)]

    response = await http.post("/v1/encode", content=data if announced else pieces())
    assert response.status_code == status
