"""Names of the figures of retrieval, which limits are set on."""

from pathlib import Path

from benchmarks.retrieval import clinic_figures, copy_figures, restricted_auc
from training.evaluation.bootstrap import Interval
from training.evaluation.other_clinics import ClinicFigures
from training.evaluation.own_copies import Found
from training.latent_space.held_out import read_proof


def test_restricted__have_plain_names_for_histology_and_without_molemax(proof: Path) -> None:
    figures = restricted_auc(read_proof(proof).measured)
    assert {"auc_histology", "auc_without_molemax", "auc_malignant_16_without_source_rosendahl"} <= figures.keys()
    assert figures["auc_histology"] < figures["auc_malignant_16_without_source_rosendahl"]


def test_clinics__have_auc_and_melanoma_precision() -> None:
    figures = {"auc_malignant_16": Interval(0.74, 0.7, 0.8), "melanoma_p_at_5": Interval(0.35, 0.3, 0.4)}
    found = ClinicFigures("BCN20000", [0], 10, 5, 4, {}, figures | {"p_at_1_macro": Interval(0.2, 0.1, 0.3)})
    assert clinic_figures({"bcn": found}) == {"auc_bcn": 0.74, "mel_p5_bcn": 0.35}


def test_copies__give_rates_under_the_clinical_preset_and_the_visual_one_beside() -> None:
    copies = {"own_copy_first": {"clinical": Found(35, 60), "visual": Found(59, 60)}}
    assert copy_figures(copies) == {"own_copy_first": 35 / 60, "own_copy_first_visual": 59 / 60}
