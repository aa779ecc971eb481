"""``POST /v1/decode`` and ``GET /v1/model``."""

import asyncio
import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from casekin.bundle import open_bundle, read_manifest
from casekin.contracts.encoder import DecodeRequest, DecodeResponse, EncodeResponse
from casekin.contracts.encoder import Model as ModelAnswer
from casekin.contracts.problem import Problem
from casekin.errors import WrongLatent
from services.encoder.encoding import decode_latents
from services.encoder.model import Model
from services.encoder.workers import Workers
from tests import pictures

LATENTS = np.random.default_rng(1).normal(0, 1, (70, 4)).astype(np.float32)


def opened(uri: str) -> Image.Image:
    _, _, data = uri.partition(";base64,")
    return Image.open(io.BytesIO(base64.b64decode(data)))


async def decode(http: httpx.AsyncClient, latents: Any, **fields: Any) -> httpx.Response:
    body = {"bundle_version": "tiny-1", "latents": latents, **fields}
    return await http.post("/v1/decode", content=json.dumps(body), headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(("kind", "tolerance"), [("png", 0.51), ("jpeg", 3.0), ("webp", 4.0)])
async def test_decode__equals_onnxruntime(
    http: httpx.AsyncClient, tiny_bundle: Path, kind: str, tolerance: float
) -> None:
    answer = DecodeResponse.model_validate_json((await decode(http, LATENTS.tolist(), format=kind)).content)
    (expected,) = ort.InferenceSession(tiny_bundle / "decoder.onnx").run(None, {"latent": LATENTS})
    assert (answer.width, answer.height, len(answer.images)) == (64, 48, 70)
    for uri, image in zip(answer.images, expected, strict=True):
        assert uri.startswith(f"data:image/{kind};base64,")
        shown = np.asarray(opened(uri)).astype(float).transpose(2, 0, 1)
        assert np.abs(shown - image * 255).mean() <= tolerance


async def test_decode__batches_change_nothing(tiny_bundle: Path) -> None:
    bundle, workers = open_bundle(tiny_bundle), Workers(concurrency=3, waiting=10)
    request = DecodeRequest(bundle_version="tiny-1", latents=LATENTS.tolist(), format="png")
    whole = await decode_latents(Model(bundle, decode_batch=128), workers, request)
    for batch in (1, 7, 70):
        assert await decode_latents(Model(bundle, decode_batch=batch), workers, request) == whole


async def test_workers__long_work_takes_turns_with_short() -> None:
    workers, order = Workers(concurrency=2, waiting=10), []

    def long(part: int) -> int:
        time.sleep(0.02)
        order.append(f"part {part}")
        return part

    task = asyncio.create_task(workers.run_parts(long, range(30)))
    await asyncio.sleep(0.1)
    await workers.run(lambda: order.append("short"))
    assert order.index("short") < 20
    assert await task == list(range(30))


async def test_workers__an_error_in_a_part_is_the_error_of_the_whole() -> None:
    def work(part: int) -> int:
        if part == 5:
            raise WrongLatent("the fifth")
        return part

    with pytest.raises(WrongLatent, match="the fifth"):
        await Workers(concurrency=2, waiting=10).run_parts(work, range(10))


async def test_decode__round_trip(http: httpx.AsyncClient) -> None:
    """What is decoded has, encoded again, the latent it was decoded from; the tiny bundle loses nothing."""
    latents = (0.5 * LATENTS[:5]).tolist()
    answer = DecodeResponse.model_validate_json((await decode(http, latents, format="png")).content)
    for latent, uri in zip(latents, answer.images, strict=True):
        response = await http.post("/v1/encode", content=pictures.saved(opened(uri), "PNG"))
        found = EncodeResponse.model_validate_json(response.content).latent
        assert found[:3] == pytest.approx(latent[:3], abs=0.03)


@pytest.mark.parametrize(
    ("latents", "fields", "code", "said"),
    [
        ([[0.0, 1.0, 2.0]], {}, "wrong-latent", "latent 0 has 3 numbers; tiny-1 has 4 dimensions"),
        ([[0.0] * 4, [0.0] * 5], {}, "wrong-latent", "latent 1 has 5 numbers"),
        ([[0.0, float("nan"), 0.0, 0.0]], {}, "wrong-latent", "latents.0.1: Input should be a finite number (got nan)"),
        ([[0.0, float("inf"), 0.0, 0.0]], {}, "wrong-latent", "latents.0.1"),
        ([[1e39, 0.0, 0.0, 0.0]], {}, "wrong-latent", "latents.0.0: Input should be less than or equal to"),
        ([[1001.0, 0.0, 0.0, 0.0]], {}, "wrong-latent", "latent 0 holds a number beyond"),
        ([["red", 0.0, 0.0, 0.0]], {}, "wrong-latent", "latents.0.0: Input should be a valid number"),
        ([], {}, "wrong-latent", "at least 1 item"),
        ([[0.0] * 4] * 1025, {}, "wrong-latent", "at most 1024 items"),
        ([[0.0] * 4], {"bundle_version": "other-2"}, "wrong-latent", "is of bundle other-2, this service has tiny-1"),
        ([[0.0] * 4], {"format": "gif"}, "bad-input", "format"),
        ([[0.0] * 4], {"size": 3}, "bad-input", "size"),
    ],
)
async def test_decode__bad_input(
    http: httpx.AsyncClient, latents: Any, fields: dict[str, Any], code: str, said: str
) -> None:
    response = await decode(http, latents, **fields)
    problem = Problem.model_validate_json(response.content)
    assert (response.status_code, problem.code) == (422, code)
    assert said in problem.detail
    assert (await decode(http, [[0.0] * 4])).status_code == 200, "the service answers after it"


async def test_model__is_the_manifest(http: httpx.AsyncClient, tiny_bundle: Path) -> None:
    answer = ModelAnswer.model_validate_json((await http.get("/v1/model")).content)
    assert answer.manifest == read_manifest(tiny_bundle)
