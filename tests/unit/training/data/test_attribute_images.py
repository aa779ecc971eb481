import csv
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casekin.contracts.bundle import InputSpec
from training.data.attribute_images import read_attribute_images
from training.data.cases import read_collection

SPEC = InputSpec(height=32, width=64, resample="bilinear")
TOML = 'title = "A clinic"\n[columns]\nid = "image_id"\ndiagnosis = "dx"\nlesion = "lesion"\n'


@pytest.fixture
def described(tmp_path: Path) -> Path:
    return write(tmp_path / "described", ["globules", "streaks", "not_looked_for"])


def write(folder: Path, columns: list[str], count: int = 20) -> Path:
    folder.mkdir()
    (folder / "collection.toml").write_text(TOML)
    with (folder / "cases.csv").open("w", newline="") as table, zipfile.ZipFile(folder / "images.zip", "w") as archive:
        lines = csv.writer(table)
        lines.writerow(["image_id", "dx", "lesion", *columns])
        for number in range(count):
            lines.writerow(
                [
                    f"a{number:02d}",
                    "nv",
                    f"l{number // 2}",
                    *(["1", "0", ""][(number + i) % 3] for i in range(len(columns))),
                ]
            )
            file = io.BytesIO()
            Image.new("RGB", (64, 32), (number, 0, 0)).save(file, "PNG")
            archive.writestr(f"a{number:02d}.png", file.getvalue())
    return folder


def test_read_attribute_images__has_values_pixels_and_folds_of_the_same_image(described: Path, tmp_path: Path) -> None:
    found = read_attribute_images([described], SPEC, tmp_path / "cache")
    assert found is not None
    assert (found.names, found.title) == (("Globules", "Streaks"), "A clinic")
    assert found.pixels.shape == (20, 32, 64, 3)
    assert found.pixels[:, 0, 0, 0].tolist() == list(range(20))
    np.testing.assert_array_equal(found.values[:3], [[1, 0], [0, np.nan], [np.nan, 1]])
    cases = read_collection(described).cases
    assert found.folds.tolist() == [case.fold for case in cases]
    assert found.groups.tolist() == [case.lesion for case in cases]


def test_read_attribute_images__batches_are_of_the_rows_asked_for(described: Path, tmp_path: Path) -> None:
    found = read_attribute_images([described], SPEC, tmp_path / "cache")
    assert found is not None
    rows = found.in_folds([0, 1])
    images = np.concatenate([batch.numpy() for batch in found.batches(rows)])
    assert np.rint(images[:, 0, 0, 0] * 255).astype(int).tolist() == rows.tolist()


def test_learnable__leaves_out_what_too_few_images_of_the_folds_show(
    described: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = read_attribute_images([described], SPEC, tmp_path / "cache")
    assert found is not None
    values = np.stack([np.arange(20) % 2, np.arange(20) < 4], 1).astype(float)
    counted = replace(found, values=values, folds=np.zeros(20, np.int64))
    kept = counted.learnable([0])
    assert kept is not None
    assert kept.names == ("Globules",)
    np.testing.assert_array_equal(kept.values, values[:, :1])
    assert "no dimension for Streaks: 4 training images have it, 16 lack it" in caplog.text
    assert counted.learnable([1]) is None


def test_read_attribute_images__takes_several_folders_and_leaves_out_those_without(
    described: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "other", ["pigment_network"])
    without = write(tmp_path / "without", ["remarks"])
    found = read_attribute_images([without, described, other], SPEC, tmp_path / "cache")
    assert found is not None
    assert found.names == ("Globules", "Pigment network", "Streaks")
    assert found.values.shape == (34, 3), "of the other folder, six images have no value"
    assert np.isnan(found.values[20:, [0, 2]]).all()
    assert read_attribute_images([without], SPEC, tmp_path / "cache") is None
    assert read_attribute_images([], SPEC, tmp_path / "cache") is None
