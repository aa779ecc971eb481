"""The page over ASGI, before a real encoder and a real search on real sockets; the projector is away."""

import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from PIL import Image

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.search import Case, CaseBatch, CaseUpload, CollectionInfo, Diagnosis
from services.encoder.app import create_app as create_encoder
from services.encoder.settings import EncoderSettings
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from services.ui.app import create_app
from services.ui.settings import UiSettings
from tests.serving import serving

NOWHERE = "http://127.0.0.1:9"
"""The discard port: nothing answers."""
CASES = 24


def picture(seed: int) -> bytes:
    """A blob on skin, as JPEG; other seeds have other colours."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(-1, 1, 120), np.linspace(-1, 1, 90))
    blob = np.exp(-4 * (across**2 + down**2))[..., None]
    pixels = np.array([200, 160, 150]) * (1 - blob) + random.integers(20, 140, 3) * blob
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


@dataclass(frozen=True)
class Behind:
    """What is behind the page."""

    encoder: str
    search: str
    audit: Path

    def settings(self, **more: Any) -> UiSettings:
        urls = {"encoder_url": self.encoder, "search_url": self.search, "projector_url": NOWHERE}
        return UiSettings(**(urls | more))


@pytest.fixture(scope="session")
def behind(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Two dozen cases in a real search, encoded by a real encoder."""
    data = tmp_path_factory.mktemp("search")
    audit = data / "audit.jsonl"
    searching = create_search(SearchSettings(bundle=tiny_bundle, data=data, audit_file=audit))
    with serving(create_encoder(EncoderSettings(bundle=tiny_bundle))) as encoder, serving(searching) as search:
        with EncoderClient(encoder) as encoding, SearchClient(search) as storing:
            _fill(encoding, storing)
        yield Behind(encoder, search, audit)


def _fill(encoder: EncoderClient, search: SearchClient) -> None:
    images = {f"CASE_{number:03d}": picture(number) for number in range(CASES)}
    uploads = []
    for number, (case_id, image) in enumerate(images.items()):
        case = Case(
            id=case_id,
            lesion_id=f"LESION_{number // 2}",
            diagnosis=("nv", "mel", "bkl")[number % 3],
            evidence="histo",
            age=float(20 + 3 * number) if number % 5 else None,
            sex=("female", "male")[number % 2],
        )
        latent = encoder.encode(image, reconstruction=False).latent
        uploads.append(CaseUpload(case=case, latent=latent, digest=hashlib.sha256(image).hexdigest()))
    search.put_cases(CaseBatch(bundle_version="tiny-1", cases=uploads), images)
    nevus = Diagnosis(code="nv", name="Nevus", colour="#56b4e9")
    melanoma = Diagnosis(code="mel", name="Melanoma", malignant=True)
    search.describe_collection(CollectionInfo(title="Blobs", diagnoses=[nevus, melanoma]))


@pytest.fixture
async def http(behind: Behind) -> AsyncIterator[httpx.AsyncClient]:
    """The page on loopback, where nobody signs in."""
    async with over_asgi(create_app(behind.settings())) as client:
        yield client


class over_asgi:  # noqa: N801  reads as a verb where it is used
    """A client of `app`, its lifespan run around it."""

    def __init__(self, app: FastAPI) -> None:
        self._manager = LifespanManager(app)

    async def __aenter__(self) -> httpx.AsyncClient:
        manager = await self._manager.__aenter__()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://127.0.0.1")
        return self._client

    async def __aexit__(self, *raised: Any) -> None:
        await self._client.aclose()
        await self._manager.__aexit__(*raised)


class Browser:
    """Calls the page's callbacks as Dash's own script does."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def call(self, output: str, changed: str, **values: Any) -> dict[str, Any]:
        """What the callback that sets `output` (``id.property``) answers, by id and property.

        `values` are by id, with underscores for dashes; the rest is none. `changed` is the id that caused it.
        """
        specs = (await self.http.get("/_dash-dependencies")).json()
        spec = next(one for one in specs if output in one["output"] and one["clientside_function"] is None)
        outputs = [self._output(part) for part in spec["output"].strip(".").split("...")]
        inputs = [self._with_value(part, values) for part in spec["inputs"]]
        cause = next(f"{part['id']}.{part['property']}" for part in spec["inputs"] if part["id"] == changed)
        body = {
            "output": spec["output"],
            "outputs": outputs if len(outputs) > 1 else outputs[0],
            "inputs": inputs,
            "state": [self._with_value(part, values) for part in spec["state"]],
            "changedPropIds": [cause],
        }
        answer = await self.http.post("/_dash-update-component", json=body)
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 204:
            return {}
        return {**answer.json().get("response", {}), **answer.json().get("sideUpdate", {})}

    def _output(self, part: str) -> dict[str, Any]:
        element, _, name = part.rpartition(".")
        return {"id": json.loads(element) if element.startswith("{") else element, "property": name}

    def _with_value(self, part: dict[str, str], values: dict[str, Any]) -> Any:
        if part["id"].startswith("{"):  # a pattern that nothing on the page matches yet
            return []
        return {**part, "value": values.get(part["id"].replace("-", "_"))}


@pytest.fixture
def browser(http: httpx.AsyncClient) -> Browser:
    return Browser(http)


def said(drawn: Any) -> str:
    """All words of drawn components, as Dash sends them."""
    if isinstance(drawn, list):
        return " ".join(filter(None, map(said, drawn)))
    if isinstance(drawn, dict):
        return said(drawn.get("props", {}).get("children"))
    return "" if drawn is None else str(drawn)
