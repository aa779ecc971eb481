"""What search says of a collection after another ingest."""

from itertools import combinations

from casekin.collections.colours import contrast_on_white, distance
from casekin.contracts.base import LONGEST_CODE
from casekin.contracts.collection import CollectionInfo, Diagnosis, Source
from casekin.ingest.merge import merged_info

NV, MEL, WART = (
    Diagnosis(code=code, name=code, colour=colour)
    for code, colour in (("nv", "#0072b2"), ("mel", "#d55e00"), ("wart", "#0072b2"))
)
OLD = CollectionInfo(
    title="Old",
    licence="CC BY-NC 4.0",
    citation="Old, 2018",
    diagnoses=[NV, MEL],
    labels={"sex": {"m": "Male"}, "site": {"x": "X"}},
    evidence_weights={"consensus": 0.5},
)
NEW = CollectionInfo(
    title="New",
    licence="CC0",
    diagnoses=[WART, MEL.model_copy(update={"name": "Other", "malignant": True, "colour": "#123456"})],
    labels={"sex": {"f": "Female", "m": "M"}},
    evidence_weights={"consensus": 1.0, "histo": 1.0},
)


def test_merged_info__without_cases_it_is_what_comes_in() -> None:
    assert merged_info(None, NEW) == NEW


def test_merged_info__what_has_but_a_title_is_replaced() -> None:
    assert merged_info(CollectionInfo(title="cases"), NEW) == NEW


def test_merged_info__the_same_collection_again_is_replaced() -> None:
    again = NEW.model_copy(update={"title": "Old"})
    assert merged_info(OLD, again) == again


def test_merged_info__licence_citation_and_title_of_the_first_survive() -> None:
    both = merged_info(OLD, NEW)
    assert both.title == "Old and New"
    assert both.licence == "Old: CC BY-NC 4.0\nNew: CC0"
    assert both.citation == "Old: Old, 2018"
    assert both.sources == (
        Source(title="Old", licence="CC BY-NC 4.0", citation="Old, 2018"),
        Source(title="New", licence="CC0"),
    )


def test_merged_info__what_both_describe_is_as_the_first_has_it() -> None:
    both = merged_info(OLD, NEW)
    assert [diagnosis.code for diagnosis in both.diagnoses] == ["nv", "mel", "wart"]
    assert both.diagnoses[1] == MEL.model_copy(update={"malignant": True})
    assert both.labels == {"sex": {"m": "Male", "f": "Female"}, "site": {"x": "X"}}
    assert both.evidence_weights == {"consensus": 0.5, "histo": 1.0}


def test_merged_info__colours_of_the_first_survive_and_all_are_distinct() -> None:
    both = merged_info(OLD, NEW)
    assert [diagnosis.colour for diagnosis in both.diagnoses[:2]] == ["#0072b2", "#d55e00"]
    many = NEW.model_copy(update={"diagnoses": [WART.model_copy(update={"code": f"d{i}"}) for i in range(10)]})
    colours = [diagnosis.colour or "" for diagnosis in merged_info(OLD, many).diagnoses]
    assert len(colours) == 12
    assert min(distance(one, other) for one, other in combinations(colours, 2)) > 0.05
    assert min(map(contrast_on_white, colours)) >= 3


def test_merged_info__is_the_same_when_either_comes_again() -> None:
    both = merged_info(OLD, NEW)
    assert merged_info(both, NEW) == both
    assert merged_info(both, OLD) == both
    licensed = merged_info(both, OLD.model_copy(update={"licence": "CC BY 4.0"}))
    assert licensed.sources[0].licence == "CC BY 4.0"


def test_merged_info__many_collections_fit() -> None:
    info = OLD
    for number in range(30):
        info = merged_info(info, NEW.model_copy(update={"title": f"New {number} " + "x" * 300, "licence": "y" * 4000}))
    assert (len(info.sources), info.title, info.licence) == (31, "31 collections", "as each source says")
    assert len(info.title) <= LONGEST_CODE
