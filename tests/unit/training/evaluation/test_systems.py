from pathlib import Path

import numpy as np
import pytest

from casekin.bundle import read_manifest
from casekin.errors import BadInput
from tests.tiny_bundle import HEIGHT, MEAN, STD, WIDTH
from training.evaluation.neighbour_votes import CaseDetails
from training.evaluation.retrieval import Labelled
from training.evaluation.systems import (
    BundleSystem,
    LearnedFrom,
    learned_from,
    refuse_trained_on,
    under_presets,
    warnings_about,
)


@pytest.fixture(scope="module")
def system(tiny_bundle: Path) -> BundleSystem:
    return BundleSystem(tiny_bundle)


def test_bundle_system__embeds_what_the_graph_measures(system: BundleSystem) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, HEIGHT, WIDTH, 3), dtype=np.uint8)
    latents = system.embed(pixels)
    colours = (pixels.mean((1, 2)) / 255 - MEAN[:3]) / STD[:3]
    np.testing.assert_allclose(latents[:, :3], colours, atol=1e-4)


def test_bundle_system__decodes_and_classifies(system: BundleSystem) -> None:
    latents = np.zeros((2, 4))
    assert system.reconstruct(latents).shape == (2, 3, HEIGHT, WIDTH)
    np.testing.assert_allclose(system.reconstruct(latents).mean((0, 2, 3)), MEAN[:3], atol=0.02)
    np.testing.assert_allclose(system.probabilities(latents).sum(1), 1, atol=1e-6)


def test_bundle_system__reads_the_similarity_as_serving_does(system: BundleSystem) -> None:
    gallery = Labelled(np.zeros((3, 4)), np.zeros(3, int), ["a", "b", "c"])
    distances = np.array([[0.0, 3, 60]])
    stated = system.similarity["visual"].of(gallery, np.array([[0, 1, 2]]), distances, CaseDetails.unknown(3))
    np.testing.assert_allclose(stated, [[0.9, 0.6, 0.3]])


def test_under_presets__give_the_clinical_weights_first(system: BundleSystem) -> None:
    clinical, visual = under_presets(system, np.zeros((3, 4)))
    assert (clinical.name, visual.name) == ("clinical", "visual")
    assert clinical.weights.tolist() == [0.5, 1, 1, 1.5]
    assert visual.weights.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("learned", "said"),
    [
        (LearnedFrom(frozenset({2, 3}), frozenset({1})), []),
        (LearnedFrom(frozenset({0, 2}), frozenset({1})), ["TRAINED on fold 0"]),
        (LearnedFrom(frozenset({2}), frozenset({0})), ["chosen on fold 0"]),
        (LearnedFrom(frozenset(), frozenset()), ["does not say"]),
    ],
)
def test_warnings_about__say_when_queries_had_a_say_in_the_model(learned: LearnedFrom, said: list[str]) -> None:
    found = warnings_about(learned, (0,))
    assert len(found) == len(said)
    assert all(words in text for words, text in zip(said, found, strict=True))


def test_learned_from__includes_the_folds_of_the_run_that_weights_began_with(tiny_bundle: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["provenance"]["recipe"] = {"data.train_folds": "2 3", "initial.initial.data.train_folds": "0"}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert learned_from(BundleSystem(folder).provenance).weights == {0, 2, 3}


def test_learned_from__includes_the_folds_of_other_clinics(tiny_bundle: Path) -> None:
    known = read_manifest(tiny_bundle).provenance
    recipe: dict[str, str | int | float | bool | None] = {"data.train_folds": "2 3 4", "clinics.train_folds": "0 2"}
    learned = learned_from(known.model_copy(update={"recipe": recipe | {"held.folds": "1"}}))
    assert learned == LearnedFrom(frozenset({0, 2, 3, 4}), frozenset({1}))


@pytest.mark.parametrize(
    ("learned", "expected"),
    [
        (LearnedFrom(frozenset({2, 3, 4}), frozenset({1})), (0,)),
        (LearnedFrom(frozenset({1, 2, 3, 4}), frozenset({0})), (0,)),
        (LearnedFrom(frozenset(range(5)), frozenset()), ()),
    ],
)
def test_test_folds__are_those_that_chose_nothing_if_there_are_any(
    learned: LearnedFrom, expected: tuple[int, ...]
) -> None:
    assert learned.test_folds(range(5)) == expected


def test_refuse_trained_on__names_the_fold_that_a_bundle_has_seen(bundle: Path, proof: Path, tiny_bundle: Path) -> None:
    refuse_trained_on(read_manifest(proof), (0,))
    with pytest.raises(BadInput, match=r"was trained on fold 0, which this measures: name one trained without it"):
        refuse_trained_on(read_manifest(bundle), (0,))
    with pytest.raises(BadInput, match=r"does not say in data.train_folds"):
        refuse_trained_on(read_manifest(tiny_bundle), (0,))
