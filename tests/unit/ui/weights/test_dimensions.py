"""Pictures of what a dimension changes."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image


def redness(content: bytes) -> float:
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)
    return float(pixels[..., 0].mean() - pixels[..., 2].mean())


async def test_dimension__low_and_high_differ_as_its_name_says(http: httpx.AsyncClient) -> None:
    low, high = [await http.get(f"/dimensions/tiny-1/0/{end}") for end in ("low", "high")]
    assert low.headers["content-type"] == high.headers["content-type"] == "image/jpeg"
    assert redness(high.content) > redness(low.content) + 20, "dimension 0 is red"
    assert high.headers["cache-control"] == "private, max-age=86400", "no patient is on it"


@pytest.mark.parametrize(("path", "status"), [("old-1/0/low", 404), ("tiny-1/4/low", 404), ("tiny-1/0/middle", 422)])
async def test_dimension__unknown(http: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await http.get(f"/dimensions/{path}")).status_code == status
