import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config.guided import Config, on_split
from training.data.attribute_images import AttributeImages
from training.data.collection import Collection
from training.fit.feature_pca import ATTRIBUTES, CondenseConfig, condense
from training.fit.finetune import PolishConfig
from training.fit.fit import Trained, module_for, save_trained
from training.latent_space.calibrate import held_out_calibration
from training.latent_space.held_out import RANKING
from training.latent_space.naming import dimension_names
from training.latent_space.study import Study, load_study
from training.recipe import polish_checkpoint


@pytest.fixture
def attributes(collection: Collection) -> AttributeImages:
    """A melanoma's attribute, and one that a nevus has in the training folds and any other lesion in the held-out."""
    melanoma, nevus = (np.array([case.diagnosis == code for case in collection.cases], float) for code in ("mel", "nv"))
    trained = np.isin([case.fold for case in collection.cases], collection.config.train_folds)
    misleading = np.where(trained, nevus, 1 - nevus)
    return AttributeImages(
        names=("Streaks", "Globules"),
        values=np.stack([melanoma, misleading], 1),
        pixels=np.asarray(collection.pixels),
        groups=np.array([case.lesion for case in collection.cases]),
        folds=np.array([case.fold for case in collection.cases]),
        title="another clinic",
    )


@pytest.fixture
def study(collection: Collection, collection_folder: Path, tiny: Config, attributes: AttributeImages) -> Study:
    torch.manual_seed(0)
    config = CondenseConfig(diagnosis_dimensions=5)
    network = condense(
        module_for(tiny, collection).averaged.eval(), collection, config, tiny.augment, attributes=attributes
    )
    recipe = tiny.flat() | config.flat() | {ATTRIBUTES: "; ".join(attributes.names)}
    held_out = replace(tiny.data, validation_folds=())  # folds 0 and 1
    return Study(held_out, network, recipe, collection, collection_folder, attributes=attributes)


def test_study__names_a_dimension_after_the_attribute_that_it_shows_on_images_held_out(study: Study) -> None:
    found = {named.name: named.evidence for named in dimension_names(study)}
    evidence = found["Streaks"]
    assert evidence is not None
    assert evidence.value > 0.9
    assert (evidence.images, evidence.positive, evidence.data) == (24, 8, "another clinic")
    assert "Globules" not in found, "held-out lesions speak against it"
    assert study.recipe[RANKING] == 7


def test_study__an_axis_of_an_attribute_is_its_own_direction(study: Study, attributes: AttributeImages) -> None:
    alone = Study(
        study.collection.config,
        study.network,
        study.recipe | {ATTRIBUTES: "Other; Globules"},
        study.collection,
        study._folder,
    )
    index = alone.ranking_names.index("Globules")
    raw, ours = alone.encoded.means[:, 6], alone.latents[:, index]
    assert abs(np.corrcoef(raw, ours)[0, 1]) > 0.8


def test_study__distances_do_not_depend_on_the_turn(study: Study) -> None:
    """Clinical distances are those of the unturned metric space: names cost no neighbour."""
    guided, rows = study.diagnosis_dimensions, study.rows(study.folds.train)
    straight = study._axes_at(study.metric.power).transform(study.encoded.means[rows])[:, :guided]
    turned = study.latents[rows, :guided] * np.sqrt(study.clinical_weights[:guided])
    here, there = (np.linalg.norm(values[1:] - values[0], axis=1) for values in (turned, straight))
    np.testing.assert_allclose(here / there, here[0] / there[0], rtol=1e-3)


def test_study__a_network_that_ships_keeps_the_names_and_the_evidence_of_its_proof(
    study: Study, collection_folder: Path, tiny: Config, tmp_path: Path, attributes: AttributeImages
) -> None:
    held = held_out_calibration(study)
    ship = on_split(tiny, "ship").data
    collection = Collection(collection_folder, tmp_path, ship, tiny.seed)
    kept = replace(held, chosen=tuple(name for name in held.chosen if name in held.evidence))
    ours = Study(ship, study.network, study.recipe, collection, collection_folder, kept, attributes)
    named = dimension_names(ours)[: ours.diagnosis_dimensions]
    assert {one.name: one.evidence for one in named if one.evidence} == {
        name: held.evidence[name] for name in kept.chosen
    }
    assert "Streaks" in kept.chosen


def test_load_study__has_an_axis_for_each_attribute_that_polishing_appended(
    collection: Collection, collection_folder: Path, tiny: Config, tmp_path: Path
) -> None:
    clinic = shutil.copytree(collection_folder, tmp_path / "clinic")
    table = clinic / "HAM10000_metadata.tab"
    header, *lines = table.read_text().splitlines()
    seen = [f"{line}\t{int('mel' in line.split(chr(9)))}\t0" for line in lines]
    table.write_text("\n".join([f"{header}\tstreaks\tglobules", *seen]) + "\n")  # no image has globules
    torch.manual_seed(0)
    checkpoint = tmp_path / "last.ckpt"
    save_trained(Trained(module_for(tiny, collection).averaged.eval(), tiny.flat()), checkpoint)
    condensing = CondenseConfig(diagnosis_dimensions=5)
    polished = polish_checkpoint(
        tiny, checkpoint, collection_folder, tmp_path, condensing, PolishConfig(epochs=1), [clinic]
    )
    study = load_study(tiny, polished, collection_folder, tmp_path, attributes=[clinic])
    assert study.recipe[ATTRIBUTES] == "Streaks"
    assert study.diagnosis_dimensions == 6
    latents = study.attribute_latents[:, study.ranking_names.index("Streaks")]
    assert study.attributes is not None
    streaks = study.attributes.values[:, study.attributes.names.index("Streaks")] > 0
    assert latents[streaks].min() > latents[~streaks].max()
    np.testing.assert_allclose(study.attribute_latents, study.latents, atol=1e-3)  # the same images
