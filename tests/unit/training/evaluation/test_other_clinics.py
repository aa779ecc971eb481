from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.errors import BadInput
from tests.vocabularies import ham10000_vocabulary
from training.data.cases import LabelledCollection, read_collection
from training.data.other_clinics import known_spec
from training.evaluation.other_clinics import ClinicFigures, measure_clinic
from training.evaluation.retrieval import Labelled
from training.evaluation.systems import BundleSystem

COLOURS = {"mel": (60, 40, 40), "nv": (150, 100, 70), "scc": (62, 42, 42)}
"""A squamous cell carcinoma looks as a melanoma does."""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> LabelledCollection:
    """Thirty lesions of each diagnosis, two images each, in the form of BCN20000."""
    folder = tmp_path_factory.mktemp("clinics") / "bcn20000_84px"
    folder.mkdir()
    lines = ["image_id,lesion_id,dx,age,sex,localization"]
    for number in range(180):
        diagnosis = list(COLOURS)[number // 2 % 3]
        lines.append(f"ISIC_{number:07d},HAM_{number // 2:07d},{diagnosis},50,female,head/neck")
        Image.new("RGB", (84, 84), COLOURS[diagnosis]).save(folder / f"ISIC_{number:07d}.png")
    (folder / "metadata.csv").write_text("\n".join(lines))
    return read_collection(folder, known_spec(folder))


@pytest.fixture(scope="module")
def found(clinic: LabelledCollection, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> ClinicFigures:
    system = BundleSystem(tiny_bundle)
    shape = (system.input.height, system.input.width, 3)
    drawn = np.stack([np.full(shape, COLOURS[code], np.uint8) for code in ("mel", "nv") for _ in range(20)])
    labels = np.repeat([system.classes.index(code) for code in ("mel", "nv")], 20)
    gallery = Labelled(system.embed(drawn), labels, [f"HAM_{number:07d}" for number in range(40)])
    vocabulary, store = ham10000_vocabulary(*system.classes), tmp_path_factory.mktemp("store")
    return measure_clinic(system, clinic, (0,), gallery, vocabulary, system.presets["clinical"], store)


def test_measure_clinic__queries_the_test_fold_alone(found: ClinicFigures, clinic: LabelledCollection) -> None:
    kept_apart = [case for case in clinic.cases if case.fold == 0]
    assert (found.folds, found.queries) == ([0], len(kept_apart))
    assert 0 < found.lesions == len(kept_apart) / 2 < 90


def test_measure_clinic__counts_a_diagnosis_without_matches_for_malignancy_alone(found: ClinicFigures) -> None:
    # A carcinoma's matches are all melanomas: right that it is malignant, wrong of each match.
    assert found.unknown.keys() == {"scc"}
    assert found.malignant > found.unknown["scc"]
    assert found.figures["auc_malignant_16"].value == 1
    assert found.figures["p_at_1_macro"].value == found.figures["p_at_1_micro"].value == 1
    assert found.figures["melanoma_p_at_5"].value == 1


def test_measure_clinic__says_where_no_query_is_left(
    clinic: LabelledCollection, tiny_bundle: Path, tmp_path: Path
) -> None:
    system = BundleSystem(tiny_bundle)
    gallery = Labelled(np.zeros((2, 4)), np.array([0, 1]), ["a", "b"])
    vocabulary = ham10000_vocabulary(*system.classes)
    with pytest.raises(BadInput, match="BCN20000 has no readable image in fold 7"):
        measure_clinic(system, clinic, (7,), gallery, vocabulary, np.ones(4), tmp_path)
