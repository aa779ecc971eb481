"""What the poll puts into the header and the stores."""

import pytest

from casekin.contracts.collection import CollectionInfo, Diagnosis, Source
from services.ui.page.sources import source_notices
from services.ui.presentation.vocabulary import Vocabulary
from tests.unit.ui.conftest import Browser, collection, sent, text_of


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Towards bkl", "Benign keratosis-like lesion"),
        ("Towards mel", "Melanoma-like"),
        ("Towards bcc", "Towards bcc"),
        ("Towards", "Towards"),
        ("mel", "mel"),
    ],
)
def test_dimension__that_points_to_a_diagnosis_is_named_by_the_vocabulary(name: str, shown: str) -> None:
    diagnoses = [Diagnosis(code="mel", name="Melanoma"), Diagnosis(code="bkl", name="Benign keratosis-like lesion")]
    vocabulary = Vocabulary(CollectionInfo(title="T", diagnoses=diagnoses))
    assert vocabulary.dimension(name) == shown


async def test_poll__an_unchanged_model_is_not_sent_again(browser: Browser) -> None:
    known = await collection(browser)
    answer = await browser.call("collection.data", "collection-poll", **known)
    assert "model" not in answer
    assert "collection" not in answer


async def test_poll__shows_the_sources_of_the_images(browser: Browser) -> None:
    answer = await browser.call("collection.data", "collection-poll")
    assert text_of(answer["sources"]["children"]) == "Blobs licence not stated"


def test_sources__each_licence_and_citation_is_shown() -> None:
    sources = (
        Source(title="HAM10000", licence="CC BY-NC 4.0", citation="Tschandl et al. 2018"),
        Source(title="Own cases"),
    )
    notices = sent(source_notices(CollectionInfo(title="HAM10000 and own cases", sources=sources)))
    assert [text_of(notice) for notice in notices] == [
        "HAM10000 CC BY-NC 4.0 Tschandl et al. 2018",
        "Own cases licence not stated",
    ]
    [only] = sent(source_notices(CollectionInfo(title="HAM10000", licence="CC BY-NC 4.0")))
    assert text_of(only) == "HAM10000 CC BY-NC 4.0"
