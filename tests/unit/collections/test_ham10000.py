"""HAM10000 as downloaded, in all its forms."""

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from casekin.collections import built_in_spec, open_collection
from tests.unit.collections.conftest import HEADER, ROWS, write_table, write_zip


def test_open_collection__real_download_loses_nothing(ham10000: Path) -> None:
    collection = open_collection(ham10000)
    cases = [row.case for row in collection.rows]
    assert len(cases) == 8470
    assert len({case.lesion_id for case in cases}) == 6304
    assert collection.skipped == []
    assert Counter(case.diagnosis for case in cases)["mel"] == 935
    assert Counter(case.evidence for case in cases)["confocal"] == 62
    assert sum(case.age is None for case in cases) == 52
    assert sum(case.sex is None for case in cases) == 49
    assert sum(case.site is None for case in cases) == 202
    assert {case.source for case in cases} == {"vidir_modern", "vidir_molemax", "rosendahl", "vienna_dias"}
    assert all(not case.attributes and not row.note for case, row in zip(cases, collection.rows, strict=True))


def test_open_collection__real_images_belong_to_their_rows(ham10000: Path) -> None:
    for row in open_collection(ham10000).rows[::500]:
        assert row.case.id in row.image.name
        assert Image.open(io.BytesIO(row.image.read())).size == (200, 150)


def test_vocabulary__covers_every_value_of_the_real_download(ham10000: Path) -> None:
    collection = open_collection(ham10000)
    spec = built_in_spec("ham10000")
    assert collection.info.diagnoses == spec.diagnoses
    for field in ("evidence", "sex", "site", "source"):
        occurring = {getattr(row.case, field) for row in collection.rows} - {None}
        assert occurring == set(collection.info.labels[field]), field


@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "bare"])
@pytest.mark.parametrize("columns", [7, 8])
@pytest.mark.parametrize(("name", "delimiter"), [("x.tab", "\t"), ("x.csv", ","), ("x", ","), ("x.csv", ";")])
@pytest.mark.parametrize("form", ["zips", "folders", "deep", "loose"])
def test_open_collection__every_form(
    tmp_path: Path, images: dict[str, bytes], form: str, name: str, delimiter: str, columns: int, quoted: bool
) -> None:
    write_table(
        tmp_path / name.replace("x", "HAM10000_metadata"),
        [row[:columns] for row in [HEADER, *ROWS]],
        delimiter=delimiter,
        quoted=quoted,
    )
    parts = [dict(list(images.items())[:2]), dict(list(images.items())[2:])]
    for number, part in enumerate(parts, 1):
        stem = f"HAM10000_images_part_{number}"
        if form == "zips":
            write_zip(tmp_path / f"{stem}.zip", part)
            continue
        folder = tmp_path / {"folders": stem, "deep": f"archive/{stem}/{stem}", "loose": "."}[form]
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in part.items():
            (folder / file).write_bytes(data)
    collection = open_collection(tmp_path)
    assert collection.skipped == []
    assert [row.case.id for row in collection.rows] == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert [row.image.read() for row in collection.rows] == list(images.values())
    last = collection.rows[2].case
    assert (last.lesion_id, last.diagnosis, last.age, last.sex, last.site) == ("HAM_2", "mel", None, None, None)
    assert last.source == ("rosendahl" if columns == 8 else None)
    assert collection.info.title == "HAM10000"


def test_open_collection__leaves_segmentations_folds_and_macos_litter_alone(
    make_folder, images: dict[str, bytes]
) -> None:
    folder = make_folder()
    mask = images["ISIC_1.jpg"]
    write_zip(folder / "HAM10000_segmentations_lesion_tschandl.zip", {"s/ISIC_1_segmentation.png": mask})
    (folder / "HAM10000_segmentations_lesion_tschandl").mkdir()
    (folder / "HAM10000_segmentations_lesion_tschandl" / "ISIC_1_segmentation.png").write_bytes(mask)
    write_table(folder / "folds.csv", [["image_id", "lesion_id", "fold"], ["ISIC_1", "HAM_1", "0"]])
    write_zip(folder / "HAM10000_images_part_1.zip", {"__MACOSX/._ISIC_1.jpg": b"x", "ISIC_1.jpg": mask})
    collection = open_collection(folder)
    assert collection.skipped == []
    assert len(collection.rows) == 3


# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
_SIMULATIONS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("eyes", _SIMULATIONS)
def test_colours__of_diagnoses_stay_apart(eyes: str) -> None:
    import numpy as np

    codes = [diagnosis.colour or "" for diagnosis in built_in_spec("ham10000").diagnoses]
    rgb = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in codes]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(_SIMULATIONS[eyes]).T, 0, 1)
    xyz = seen @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(xyz / np.array([0.9505, 1, 1.089]))
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)[np.triu_indices(len(codes), 1)]
    assert apart.min() > 15, f"CIE76 difference {apart.min():.1f}"
