"""The bundle that ships, beside the proof of its recipe."""

from pathlib import Path

from casekin.bundle import open_bundle
from training.config.guided import Config
from training.data.other_clinics import TEST_FOLDS
from training.evaluation.metrics import HEADLINE
from training.evaluation.systems import BundleSystem, LearnedFrom, learned_from
from training.latent_space.held_out import read_proof

OWN = {"name", "soup.2.name", "data.train_folds", "data.validation_folds", "held.folds", "optimiser.threads"}
"""What of a recipe is of one run: its folds, and on how many threads it ran."""


def test_shipped__has_seen_all_folds_and_its_proof_not_the_test_fold(bundle: Path, proof: Path) -> None:
    ours, proven = (learned_from(BundleSystem(folder).provenance) for folder in (bundle, proof))
    assert ours == LearnedFrom(frozenset(range(5)), frozenset())
    assert proven.test_folds(range(5)) == TEST_FOLDS


def test_shipped__is_the_recipe_that_was_proved(bundle: Path, proof: Path) -> None:
    ours, proven = (open_bundle(folder).manifest for folder in (bundle, proof))
    assert proven.version == f"{ours.version}-proof"
    # What could not be chosen yet is as it is by default.
    chosen, before = (Config().flat() | one.provenance.recipe for one in (ours, proven))
    differ = {name for name in chosen.keys() | before.keys() if chosen.get(name) != before.get(name)}
    assert differ <= OWN


def test_shipped__is_calibrated_as_its_proof(bundle: Path, proof: Path) -> None:
    ours, proven = open_bundle(bundle).manifest, read_proof(proof)
    assert (ours.similarity, ours.neighbours) == (proven.similarity, proven.neighbours)
    assert ours.out_of_distribution == proven.out_of_distribution
    assert {name: ours.metrics[name] for name in HEADLINE} == {name: proven.metrics[name] for name in HEADLINE}


def test_shipped__card_gives_squared_error_and_figures_on_part_of_the_queries(bundle: Path, proof: Path) -> None:
    measured = read_proof(proof).measured
    assert measured.reconstruction is not None
    ours, theirs = (measured.reconstruction.overall[name].value for name in ("mse", "mse_pca"))
    groups = {
        (group.by, group.name): group.figures["auc_malignant_16"]
        for group in measured.subgroups
        if "auc_malignant_16" in group.figures
    }
    for folder in (bundle, proof):
        card = (folder / "MODEL_CARD.md").read_text()
        assert f"(PCA: {theirs:.5f}, {1 - theirs / ours:.0%} smaller)" in card
        for group in (("evidence", "histo"), ("without source", "vidir_molemax")):
            assert str(groups[group]) in card
