"""A tiny collection in the form of the HAM10000 download, drawn at random but with colours that tell the diagnosis."""

import csv
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config.generator import GeneratorConfig
from training.config.guided import Config, DataConfig, LossConfig, ModelConfig, OptimiserConfig
from training.data.collection import Collection

COLOURS = {"bcc": (220, 150, 150), "mel": (60, 40, 40), "nv": (150, 100, 70)}
LESIONS, IMAGES_PER_LESION, FOLDS = 30, 2, 5


@pytest.fixture(scope="session")
def collection_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection")
    random = np.random.default_rng(5)
    rows, folds, images, masks = [], [], {}, {}
    for number in range(LESIONS):
        diagnosis = list(COLOURS)[number % len(COLOURS)]
        for copy in range(IMAGES_PER_LESION):
            name, lesion = f"ISIC_{number:04d}{copy}", f"HAM_{number:04d}"
            rows.append([lesion, name, diagnosis, "histo", "50", "male", "back", "made up"])
            folds.append([name, lesion, number // len(COLOURS) % FOLDS])
            images[f"{name}.jpg"], masks[f"masks/{name}_segmentation.png"] = _drawn(COLOURS[diagnosis], random)
    names = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]
    _write(folder / "HAM10000_metadata.tab", names, rows, "\t")
    _write(folder / "folds.csv", ["image_id", "lesion_id", "fold"], folds, ",")
    half = len(images) // 2
    _zip(folder / "HAM10000_images_part_1.zip", dict(list(images.items())[:half]))
    _zip(folder / "HAM10000_images_part_2.zip", dict(list(images.items())[half:]))
    _zip(folder / "HAM10000_segmentations_lesion_tschandl.zip", masks)
    return folder


@pytest.fixture(scope="session")
def tiny() -> Config:
    return Config(
        name="tiny",
        data=DataConfig(height=32, width=64, batch_size=12),
        model=ModelConfig(
            diagnosis_dimensions=5,
            appearance_dimensions=4,
            frozen_blocks=1,
            decoder_width=64,
            output_height=32,
            output_width=64,
        ),
        loss=replace(LossConfig(), reconstruct_share=1.0),
        optimiser=OptimiserConfig(epochs=2, validate_every=1, precision="32-true", threads=1),
        generator=GeneratorConfig(width=48, steps=2, own=2, swapped=2, pairs=2, precision="32-true"),
    )


@pytest.fixture
def collection(collection_folder: Path, tiny: Config, tmp_path: Path) -> Collection:
    return Collection(collection_folder, tmp_path, tiny.data, seed=1)


def _drawn(colour: tuple[int, int, int], random: np.random.Generator) -> tuple[bytes, bytes]:
    height, width = 60, 80
    rows, columns = np.mgrid[:height, :width]
    radius = random.uniform(10, 22)
    inside = (rows - random.uniform(25, 35)) ** 2 + (columns - random.uniform(35, 45)) ** 2 < radius**2
    pixels = np.where(inside[..., None], colour, (230, 190, 170)) + random.normal(0, 6, (height, width, 3))
    files = []
    for array, kind in ((pixels.clip(0, 255), "JPEG"), (inside * 255, "PNG")):
        file = io.BytesIO()
        Image.fromarray(array.astype(np.uint8)).save(file, kind)
        files.append(file.getvalue())
    return files[0], files[1]


def _write(path: Path, header: list[str], rows: list[list[str]], delimiter: str) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
