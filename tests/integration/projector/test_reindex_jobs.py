"""Re-indexing as a job: a real worker, search, and an encoder for each of two bundles, under steady searches."""

import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.second_bundle import reversed_bundle
from casekin.clients import EncoderClient, SearchClient
from casekin.collections import open_collection
from casekin.contracts.cases import Case, CaseBatch, CaseUpload
from casekin.contracts.projector import JobState
from casekin.contracts.reindex import Reindex, ReindexResult
from casekin.contracts.search import SearchRequest
from casekin.errors import BadInput, CasekinError
from casekin.ingest import Ingest
from casekin.ingest.encoding import case_digest
from services.encoder.app import create_app as create_encoder
from services.encoder.settings import EncoderSettings
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from tests.integration.projector.conftest import Station
from tests.integration.projector.test_ingest_jobs import write_collection
from tests.serving import serving
from tests.warm_start import CASEKIN, start

CASES, ASKED = 149, 20
OLD, NEW = "tiny-1", "tiny-2"
Query = tuple[str, str, list[float]]


@pytest.fixture(scope="module")
def second_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "second"
    reversed_bundle(tiny_bundle, folder, NEW)
    return folder


@pytest.fixture(scope="module")
def next_url(second_bundle: Path) -> Iterator[str]:
    with serving(create_encoder(EncoderSettings(bundle=second_bundle, log_level="WARNING"))) as url:
        yield url


@dataclass
class Clinic:
    """Search with a collection in it, and the two encoders."""

    station: Station
    search: SearchClient
    old: EncoderClient
    new: EncoderClient
    folder: Path

    def queries(self, encoder: EncoderClient) -> list[Query]:
        rows = open_collection(self.folder).rows[10 : 10 + ASKED]
        answers = [(row.case.id, encoder.encode(row.image.read(), reconstruction=False)) for row in rows]
        return [(answer.bundle_version, case_id, answer.latent) for case_id, answer in answers]

    def live(self) -> list[tuple[str, str, int]]:
        return [(one.bundle_version, one.state, one.cases) for one in self.search.indexes()]


@pytest.fixture
def clinic(
    make_station: Callable[..., Station], tiny_bundle: Path, encoder_url: str, next_url: str, tmp_path: Path
) -> Iterator[Clinic]:
    folder = tmp_path / "collections" / "clinic"
    write_collection(folder)
    searching = create_search(SearchSettings(bundle=tiny_bundle, data=tmp_path / "search", log_level="WARNING"))
    with (
        serving(searching) as url,
        SearchClient(url, attempts=1) as search,
        EncoderClient(encoder_url) as old,
        EncoderClient(next_url) as new,
    ):
        Ingest(old, search).run(open_collection(folder))
        station = make_station(
            search_url=url, ingest_rate=30, lease_s=2, sweep_s=0.3, data=tmp_path / "jobs", next_encoder_url=next_url
        )
        yield Clinic(station, search, old, new, folder)


@dataclass
class Searches:
    """Twenty a second; each asks for a case by its own latent and must find it at distance 0."""

    search: SearchClient
    queries: list[Query]
    right: int = 0
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _run(self, ended: threading.Event) -> None:
        number = 0
        while not ended.wait(0.05):
            self._ask(self.queries[number % len(self.queries)])
            number += 1

    def _ask(self, query: Query) -> None:
        version, case_id, latent = query
        try:
            asked = SearchRequest(bundle_version=version, latents=(latent,), one_per_lesion=False, k=3)
            found = {match.case.id: match.distance for match in self.search.search(asked).matches}
        except CasekinError as error:
            self.failed.append(str(error))
        else:
            right = found.get(case_id, np.inf) < 1e-3
            self.right += right
            self.wrong += [] if right else [f"{version}: {case_id} not in {found}"]


def test_reversed_bundle__tells_its_latents_from_those_of_the_first(clinic: Clinic) -> None:
    old, new = clinic.queries(clinic.old), clinic.queries(clinic.new)
    np.testing.assert_array_equal([latent for *_, latent in new], [latent[::-1] for *_, latent in old])
    searches = Searches(clinic.search, [])
    for _, case_id, latent in new:
        searches._ask((OLD, case_id, latent))
    assert len(searches.wrong) == ASKED, "the check tells an answer from the wrong index"


def one_more(clinic: Clinic) -> tuple[CaseBatch, dict[str, bytes]]:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 120, 90)).save(out, "PNG")
    case, latent = Case(id="LATER", diagnosis="bcc"), clinic.old.encode(out.getvalue()).latent
    upload = CaseUpload(case=case, latent=latent, digest=case_digest(out.getvalue(), case))
    return CaseBatch(bundle_version=OLD, cases=[upload]), {"LATER": out.getvalue()}


def test_reindex__under_searches_fails_none_and_errs_in_none(clinic: Clinic) -> None:
    old, new = clinic.queries(clinic.old), clinic.queries(clinic.new)
    searches, later = Searches(clinic.search, old), one_more(clinic)
    search = str(clinic.search._http.base_url)
    with (
        clinic.station.api() as client,
        clinic.station.worker("bulk", clinic.folder.parent / "log"),
        searches.running(),
    ):
        where = ["--search-url", search, "--projector-url", str(client._http.base_url)]
        process = start(CASEKIN, "index", "reindex", "--switch", *where)
        while not any(job.progress.fraction for job in client.recent()):
            assert process.poll() is None, "ended before it encoded anything"
            time.sleep(0.05)
        assert (NEW, "filling", 0) in clinic.live(), "what follows comes while it encodes"
        clinic.search.put_cases(*later)
        for gone in ("CASE_000", "CASE_001"):
            clinic.search.delete_case(gone)
        told, _ = process.communicate(timeout=120)
        assert process.returncode == 0, told
        searches.queries = [*old, *new]
        time.sleep(2.5)
    assert f"live is the index of {NEW}; the way back: casekin index rollback, to {OLD}" in told
    assert (searches.failed, searches.wrong) == ([], [])
    assert searches.right > ASKED
    assert clinic.live() == [(NEW, "live", CASES - 1), (OLD, "standby", CASES - 1)]
    held = {case.id: case.diagnosis for page in clinic.search.latents() for case in page.cases}
    assert held["LATER"] == "bcc"
    assert not {"CASE_000", "CASE_001"} & held.keys()


def test_reindex__whose_worker_is_killed_goes_on_where_it_was(clinic: Clinic) -> None:
    log = clinic.folder.parent / "log"
    with clinic.station.api() as client:
        with clinic.station.worker("bulk", log) as worker:
            job = client.submit(Reindex())
            seen = next(one for one in client.follow(job) if one.progress.fraction > 0)
            assert "of 149 cases" in seen.progress.message
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        with clinic.station.worker("bulk", log):
            result = client.wait(client.job(job.id), ReindexResult, timeout_s=60)
            again = client.wait(client.submit(Reindex()), ReindexResult, timeout_s=60)
    assert (result.bundle_version, result.source, result.cases, result.skipped) == (NEW, OLD, CASES, {})
    assert (again.encoded, again.cases) == (0, CASES), "asked for again it looks again"
    assert clinic.live() == [(OLD, "live", CASES), (NEW, "filling", CASES)]


def test_reindex__that_is_cancelled_stops(clinic: Clinic) -> None:
    with clinic.station.api() as client, clinic.station.worker("bulk", clinic.folder.parent / "log"):
        job = client.submit(Reindex())
        next(one for one in client.follow(job) if one.progress.fraction > 0)
        assert client.cancel(job.id).state is JobState.CANCELLED
        assert clinic.live()[0] == (OLD, "live", CASES)


def test_reindex__sends_images_to_no_stranger(clinic: Clinic) -> None:
    with clinic.station.api() as client:
        with pytest.raises(BadInput, match=r"not to http://elsewhere\.example:80"):
            client.submit(Reindex(encoder_url="http://elsewhere.example:80"))
        clinic.station.settings = clinic.station.settings.model_copy(update={"next_encoder_url": None})
    with clinic.station.api() as client, pytest.raises(BadInput, match="CASEKIN_NEXT_ENCODER_URL"):
        client.submit(Reindex())


def test_command__starts_an_encoder_for_a_bundle_and_manages_indexes(
    clinic: Clinic, second_bundle: Path, tmp_path: Path
) -> None:
    with clinic.station.api() as client, clinic.station.worker("bulk", clinic.folder.parent / "log"):
        search = ["--search-url", str(clinic.search._http.base_url)]
        projector = ["--projector-url", str(client._http.base_url), "--data", str(tmp_path / "home")]

        def run(*arguments: str) -> tuple[int, str]:
            process = start(CASEKIN, "index", *arguments, *search)
            out, err = process.communicate(timeout=150)
            return process.wait(), out + err

        status, told = run("reindex", "--bundle", str(second_bundle), *projector)
        assert status == 0, told
        assert f"149 of 149 cases encoded for the index of {NEW}" in told
        assert run("list") == (
            0,
            f"{OLD}  live            149 cases\n{NEW}  filling         149 cases\n",
        )
        assert run("rollback")[0] == 1, "nothing was live before"
        assert run("switch", NEW) == (
            0,
            f"live is the index of {NEW}; the way back: casekin index rollback, to {OLD}\n",
        )
        assert f"live is the index of {OLD}" in run("rollback")[1]
        assert "is live; switch to another one first" in run("delete", OLD)[1]
        assert run("delete", NEW) == (0, f"{OLD}  live            149 cases\n")
