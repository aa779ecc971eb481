"""One suite of what the projector relies on, on the hand-made search of its tests and on the real service."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.clients import SearchClient
from casekin.contracts.cases import CaseBatch, CaseUpload
from services.projector.latents.collection_latents import CollectionReader
from services.projector.storage.deletion_mark import DeletionMark
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from tests.integration.projector.small_search import SmallCollection, clusters, create_small_search
from tests.serving import serving

CASES = 41
"""One more than two pages of twenty."""


@dataclass
class Searched:
    client: SearchClient
    held: SmallCollection
    """What it must have."""
    delete_last: Callable[[], object]


@pytest.fixture(params=["small", "real"])
def searched(request: pytest.FixtureRequest, tiny_bundle: Path, tmp_path: Path) -> Iterator[Searched]:
    held = SmallCollection(clusters(CASES))
    held.latents[:, 1] = -np.abs(held.latents[:, 1])
    if request.param == "small":
        with serving(create_small_search(held)) as url, SearchClient(url, attempts=1) as client:
            yield Searched(client, held, lambda: _shorten(held))
        return
    app = create_search(SearchSettings(bundle=tiny_bundle, data=tmp_path / "search", log_level="WARNING"))
    with serving(app) as url, SearchClient(url, attempts=1) as client:
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), (200, 120, 90)).save(picture, "PNG")
        uploads = [
            CaseUpload(case=case, latent=latent.tolist(), digest=held.digest(case.id))
            for case, latent in zip(held.cases, held.latents, strict=True)
        ]
        client.put_cases(
            CaseBatch(bundle_version="tiny-1", cases=uploads), {case.id: picture.getvalue() for case in held.cases}
        )

        def delete_last() -> None:
            client.delete_case(held.cases[-1].id)
            _shorten(held)

        yield Searched(client, held, delete_last)


def _shorten(held: SmallCollection) -> None:
    held.latents = held.latents[:-1]
    held.edition += 1


def test_collection__has_a_version_a_size_and_a_revision_that_changes(searched: Searched) -> None:
    before = searched.client.collection()
    assert (before.bundle_version, before.cases) == ("tiny-1", CASES)
    assert searched.client.collection().revision == before.revision
    searched.delete_last()
    after = searched.client.collection()
    assert after.cases == CASES - 1
    assert after.revision != before.revision


@pytest.mark.parametrize("page_size", [20, 40, 41, 2000])
def test_latents__are_all_cases_in_order_whatever_the_page(searched: Searched, page_size: int) -> None:
    pages = list(searched.client.latents(page_size))
    assert [case.id for page in pages for case in page.cases] == [case.id for case in searched.held.cases]
    found = np.concatenate([np.asarray(page.latents) for page in pages if page.cases])
    np.testing.assert_allclose(found, searched.held.latents, rtol=1e-5)
    assert {page.bundle_version for page in pages} == {"tiny-1"}
    assert [page.next is None for page in pages] == [False] * (len(pages) - 1) + [True]
    diagnoses = [(case.diagnosis, case.lesion_id) for page in pages for case in page.cases]
    assert diagnoses == [(case.diagnosis, case.lesion_id) for case in searched.held.cases]


def test_digests__are_of_stored_cases_only(searched: Searched) -> None:
    last = searched.held.cases[-1].id
    assert searched.client.digests([last, "C00000", "nobody"]) == {
        last: searched.held.digest(last),
        "C00000": searched.held.digest("C00000"),
    }
    searched.delete_last()
    assert list(searched.client.digests([last, "C00000"])) == ["C00000"]


def test_reader__has_every_latent_with_its_sign(searched: Searched, tmp_path: Path) -> None:
    read = CollectionReader(tmp_path / "projector", searched.client, DeletionMark(tmp_path)).current()
    assert read.cases == [case.id for case in searched.held.cases]
    np.testing.assert_allclose(read.latents, searched.held.latents, rtol=1e-5)
    assert (read.latents[:, 1] < 0).all()
