"""Collections whose cases have equal ids: none overwrites another without a word."""

import pytest

from casekin.clients.search import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.cases import CaseBatch, CaseUpload
from services.search.app import create_app
from services.search.settings import SearchSettings
from tests.integration.search.made import image, stored
from tests.serving import serving


def of(collection: str | None, *ids: CaseId, diagnosis: str, take_over: bool = False) -> CaseBatch:
    made = [stored(case_id, [1, 0, 0, 0], diagnosis=diagnosis, collection=collection) for case_id in ids]
    uploads = [CaseUpload(case=one.case, latent=one.latent.tolist(), digest=one.digest) for one in made]
    return CaseBatch(bundle_version="made-1", cases=uploads, take_over=take_over)


def put(client: SearchClient, batch: CaseBatch) -> tuple[int, list[CaseId], dict[CaseId, str]]:
    receipt = client.put_cases(batch, {one.case.id: image(f"{one.case.id} {batch.cases}") for one in batch.cases})
    return receipt.stored, receipt.replaced, receipt.taken


def test_put__ids_of_another_collection_are_left_out_and_named(settings: SearchSettings) -> None:
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        assert put(client, of("First", "a", "b", diagnosis="nv")) == (2, [], {})
        before = client.image("a")[0]
        assert put(client, of("Second", "b", "c", diagnosis="mel")) == (1, [], {"b": "First"})
        assert [client.case(one).diagnosis for one in "abc"] == ["nv", "nv", "mel"]
        revision = client.collection().revision
        assert put(client, of("Second", "a", "b", diagnosis="mel")) == (0, [], {"a": "First", "b": "First"})
        assert (client.image("a")[0], client.collection().revision) == (before, revision)


@pytest.mark.parametrize(
    ("first", "second", "take_over"),
    [("One", "One", False), ("One", "Two", True), (None, "Two", False), ("One", None, False)],
)
def test_put__replaced_cases_are_told_from_new_ones(
    settings: SearchSettings, first: str | None, second: str | None, take_over: bool
) -> None:
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        put(client, of(first, "a", diagnosis="nv"))
        assert put(client, of(second, "a", "b", diagnosis="mel", take_over=take_over)) == (2, ["a"], {})
        assert client.case("a").diagnosis == "mel"
        assert client.collection().cases == 2
