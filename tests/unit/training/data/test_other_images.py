"""Training on copies at other sizes and on collections of other clinics beside the collection itself."""

import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from casekin.errors import BadInput
from training.config.guided import Config
from training.data.collection import Collection, OtherImages
from training.fit.feature_pca import CondenseConfig
from training.fit.finetune import PolishConfig
from training.fit.fit import fit, load_trained
from training.recipe import polish_checkpoint

LESIONS = 20


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of another clinic: nevi that HAM10000 has, carcinomas that it lacks, one attribute."""
    folder = tmp_path_factory.mktemp("clinic")
    with (folder / "table.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_id", "lesion_id", "dx", "dx_type", "age", "sex", "localization", "streaks"])
        for number in range(LESIONS):
            code = ("nv", "scc")[number % 2]
            writer.writerow([f"C_{number}", f"L_{number}", code, "", 40, "male", "back", ("0", "1", "?")[number % 3]])
            Image.new("RGB", (50, 40), (90 + number, 60, 60)).save(folder / f"C_{number}.png")
    return folder


def test_collection__draws_copies_and_further_images_of_training_folds_only(
    collection_folder: Path, clinic: Path, tiny: Config, tmp_path: Path
) -> None:
    copies = shutil.copytree(collection_folder, tmp_path / "small")
    alone = Collection(collection_folder, tmp_path, tiny.data, 1)
    both = Collection(collection_folder, tmp_path, tiny.data, 1, others=OtherImages((copies,), (clinic,)))
    assert both.classes == alone.classes == ["bcc", "mel", "nv"]
    assert both.training_vocabulary.codes == ("bcc", "mel", "nv", "scc")
    assert both.validation_positions == alone.validation_positions
    assert {case.fold for case in both.further_cases} <= set(tiny.data.train_folds)
    assert 0 < len(both.further_cases) < LESIONS
    drawn = [position for _, labels, positions in _epochs(both, 40) for position in positions.tolist()]
    trained = set(both.train_positions) | {p for p, case in enumerate(both.all_cases) if p >= len(both.cases)}
    assert set(drawn) == trained
    assert len(both.train_dataloader().dataset) == 2 * len(both.train_positions) + len(both.further_cases)


def test_collection__copies_lie_beside_their_image_and_further_cases_keep_their_labels(
    collection_folder: Path, clinic: Path, tiny: Config, tmp_path: Path
) -> None:
    copies = shutil.copytree(collection_folder, tmp_path / "small")
    config = replace(tiny.data, attributes=("streaks",))
    both = Collection(collection_folder, tmp_path, config, 1, others=OtherImages((copies,), (clinic,)))
    images = both.train_dataloader().dataset
    for first in range(len(both.train_positions)):
        one, other = images[first], images[len(both.train_positions) + first]
        assert torch.equal(one[0], other[0])
        assert one[1:] == other[1:]
    for image, label, position in (images[row] for row in range(2 * len(both.train_positions), len(images))):
        case = both.all_cases[position]
        number = int(case.id.removeprefix("C_"))
        assert both.training_vocabulary.codes[label] == case.diagnosis == ("nv", "scc")[number % 2]
        assert image.float().mean((1, 2)).round().tolist() == [90 + number, 60, 60]
        expected = (0.0, 1.0, np.nan)[number % 3]
        np.testing.assert_equal(both.attribute_matrix[position], np.array([expected], np.float32))
    assert np.isnan(both.attribute_matrix[: len(both.cases)]).all()


def test_collection__balances_sources_within_a_diagnosis(
    collection_folder: Path, clinic: Path, tiny: Config, tmp_path: Path
) -> None:
    even = replace(tiny.data, balance=1.0, source_balance=1.0, further_weight=1.0)
    both = Collection(collection_folder, tmp_path, even, 1, others=OtherImages((), (clinic,)))
    drawn = [position for _, labels, positions in _epochs(both, 60) for position in positions.tolist()]
    labels = np.array(both.labels)[drawn]
    further = np.array(drawn) >= len(both.cases)
    assert [np.mean(labels == number) for number in range(4)] == pytest.approx([0.25] * 4, abs=0.03)
    assert np.mean(further[labels == both.classes.index("nv")]) == pytest.approx(0.5, abs=0.05)
    assert both.drawn_shares() == pytest.approx([0.25] * 4)


def test_collection__names_images_that_a_folder_of_copies_lacks(
    collection_folder: Path, clinic: Path, tiny: Config, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="lacks 36 of 36 training images, such as ISIC_"):
        Collection(collection_folder, tmp_path, tiny.data, 1, others=OtherImages((clinic,), ()))


def test_fit__on_other_images_ships_the_classes_of_the_collection_alone(
    collection_folder: Path, clinic: Path, tiny: Config, tmp_path: Path
) -> None:
    copies = shutil.copytree(collection_folder, tmp_path / "small")
    others = OtherImages((copies,), (clinic,))
    config = replace(tiny, data=replace(tiny.data, attributes=("streaks",)))
    last = fit(config, collection_folder, tmp_path / "runs", tmp_path / "pixels", others=others)
    trained = load_trained(last)
    assert len(trained.network.head.bias) == 4
    assert trained.recipe["data.copies"] == "small"
    assert trained.recipe["data.further"] == clinic.name
    assert re.fullmatch(r"HAM10000, \d+ images; CC BY-NC 4\.0\. Tschandl.*", str(trained.recipe["data.further.1"]))
    condensing = CondenseConfig(diagnosis_dimensions=4)
    made = polish_checkpoint(config, last, collection_folder, tmp_path / "pixels", condensing, PolishConfig(epochs=1))
    assert len(load_trained(made).network.head.bias) == 3


def _epochs(collection: Collection, count: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    batches = []
    for epoch in range(count):
        loader = collection.train_dataloader()
        loader.sampler.set_epoch(epoch)
        batches += list(loader)
    return batches
