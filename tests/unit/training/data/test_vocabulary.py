import pytest

from casekin.contracts.collection import Diagnosis
from training.data.vocabulary import Vocabulary


def _vocabulary(*described: tuple[str, str, bool | None]) -> Vocabulary:
    diagnoses = [Diagnosis(code=code, name=name, malignant=malignant) for code, name, malignant in described]
    return Vocabulary.of([code for code, *_ in described], diagnoses)


def test_vocabulary__takes_malignancy_and_names_from_the_collection() -> None:
    found = Vocabulary.of(
        ["a", "b", "c"],
        [Diagnosis(code="c", name="Sea", malignant=True), Diagnosis(code="a", name="Ay", malignant=False)],
    )
    assert found.malignant == ("c",)
    assert found.is_malignant.tolist() == [False, False, True]
    assert [found.name(code) for code in found.codes] == ["Ay", "b", "Sea"]


def test_vocabulary__calls_nothing_malignant_because_of_its_code() -> None:
    assert Vocabulary(("akiec", "bcc", "mel", "nv")).malignant == ()
    assert _vocabulary(("mel", "Mellow", False)).malignant == ()


@pytest.mark.parametrize(
    ("name", "malignant", "melanoma"),
    [
        ("Melanoma", True, True),
        ("Melanoma Invasive", True, True),
        ("Acral melanoma in situ", True, True),
        ("Non-melanoma skin cancer", True, False),
        ("Melanocytic nevus", True, False),
        ("Melanoma", None, False),
    ],
)
def test_vocabulary__knows_a_melanoma_by_its_name(name: str, malignant: bool | None, melanoma: bool) -> None:
    assert _vocabulary(("x", name, malignant)).is_melanoma.tolist() == [melanoma]
