"""What search says of a collection after another ingest."""

from casekin.contracts.search import Collection, CollectionInfo, Diagnosis
from casekin.ingest.pipeline import merged_info

NV, MEL, WART = (Diagnosis(code=code, name=code) for code in ("nv", "mel", "wart"))
OLD = CollectionInfo(title="Old", diagnoses=[NV, MEL], labels={"sex": {"m": "Male"}, "site": {"x": "X"}})
NEW = CollectionInfo(title="New", diagnoses=[WART, MEL], labels={"sex": {"f": "Female"}})


def collection(info: CollectionInfo, cases: int) -> Collection:
    return Collection(info=info, bundle_version="v1", cases=cases, lesions=cases, revision="r")


def test_merged_info__an_empty_collection_is_what_comes_in() -> None:
    assert merged_info(collection(OLD, 0), NEW) == NEW


def test_merged_info__the_same_collection_again_is_replaced() -> None:
    again = NEW.model_copy(update={"title": "Old"})
    assert merged_info(collection(OLD, 5), again) == again


def test_merged_info__two_collections_keep_both_vocabularies() -> None:
    both = merged_info(collection(OLD, 5), NEW)
    assert both.title == "New"
    assert [diagnosis.code for diagnosis in both.diagnoses] == ["wart", "mel", "nv"]
    assert both.labels == {"sex": {"m": "Male", "f": "Female"}, "site": {"x": "X"}}
