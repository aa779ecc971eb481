"""The card of the proof's figures: what stands beside the headline, and other clinics."""

from dataclasses import replace
from pathlib import Path

import pytest

from casekin.bundle import read_manifest
from training.data.cases import LabelledCollection, read_collection
from training.evaluation.bootstrap import Interval
from training.evaluation.evaluate import Measured
from training.evaluation.other_clinics import ClinicFigures
from training.export.model_card import model_card
from training.latent_space.held_out import read_proof


@pytest.fixture(scope="module")
def measured(proof: Path) -> Measured:
    return read_proof(proof).measured


@pytest.fixture(scope="module")
def collection(collection_folder: Path) -> LabelledCollection:
    return read_collection(collection_folder)


def test_card__puts_the_headline_beside_histology_and_the_rest_without_an_easy_source(
    proof: Path, measured: Measured, collection: LabelledCollection
) -> None:
    lines = model_card(read_manifest(proof), collection, measured).splitlines()
    header = next(line for line in lines if line.startswith("| figure, preset clinical | all queries |"))
    row = next(line for line in lines if line.startswith("| AUC malignant |"))
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    groups = {(group.by, group.name): group.figures for group in measured.subgroups}
    assert cells["all queries"] == str(measured.figures["clinical"]["auc_malignant_16"])
    assert cells["Confirmed by: histo"] == str(groups["evidence", "histo"]["auc_malignant_16"])
    assert cells["Without source: vidir_molemax"] == str(groups["without source", "vidir_molemax"]["auc_malignant_16"])
    assert "Confirmed by: follow_up" not in cells, "none of them is malignant"
    assert lines.index(header) < lines.index("| figure | preset clinical | preset visual |")


def test_card__has_a_line_for_each_other_clinic(
    proof: Path, measured: Measured, collection: LabelledCollection
) -> None:
    clinic = ClinicFigures(
        title="BCN20000",
        folds=[0],
        queries=1917,
        lesions=540,
        malignant=1052,
        unknown={"scc": 72},
        figures={"auc_malignant_16": Interval(0.737, 0.71, 0.76)},
    )
    card = model_card(read_manifest(proof), collection, replace(measured, other_clinics=[clinic]))
    assert "| clinic | folds | queries | lesions | malignant | P@1, all |" in card
    assert "| BCN20000 | 0 | 1917 | 540 | 1052 | - | - | - | - | - | 0.737 (0.710 to 0.760) |" in card
    assert "BCN20000 has 72 of scc, of which the gallery has no case: they count for the AUC alone." in card
    assert "### Of other clinics" not in model_card(read_manifest(proof), collection, measured)
