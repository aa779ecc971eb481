import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from casekin.errors import BadInput
from training.data.other_clinics import TEST_FOLDS, other_clinic, read_other_clinic


def _jpeg() -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 40), (200, 150, 140)).save(file, "JPEG")
    return file.getvalue()


def _clinic(data: Path, name: str, header: str, rows: list[str]) -> None:
    folder = data / other_clinic(name).folder
    folder.mkdir(parents=True)
    (folder / "metadata.csv").write_text("\n".join([header, *rows]) + "\n")
    with zipfile.ZipFile(folder / "images.zip", "w") as file:
        for row in rows:
            file.writestr(f"{row.partition(',')[0]}.jpg", _jpeg())


BCN = "image_id,lesion_id,dx,age,sex,localization"


def test_read_other_clinic__keeps_a_lesion_in_one_fold_and_names_its_malignant_diagnosis(tmp_path: Path) -> None:
    rows = [f"ISIC_{number:07d},BCN_{number // 2:07d},scc,50,female,head/neck" for number in range(12)]
    _clinic(tmp_path, "bcn", BCN, rows)
    collection = read_other_clinic(other_clinic("bcn"), tmp_path)
    assert len({case.lesion for case in collection.cases}) == 6
    assert len({(case.lesion, case.fold) for case in collection.cases}) == 6
    assert collection.vocabulary().malignant == ("scc",)


def test_read_other_clinic__takes_each_image_as_a_lesion_where_none_is_named(tmp_path: Path) -> None:
    header = "image_id,dx,age,sex,localization,globules,milia_like_cyst,negative_network,pigment_network,streaks"
    _clinic(tmp_path, "msk", header, [f"ISIC_{number:07d},nv,55,female,,0,0,0,1,0" for number in range(4)])
    cases = read_other_clinic(other_clinic("msk"), tmp_path).cases
    assert [case.lesion for case in cases] == [f"image ISIC_{number:07d}" for number in range(4)]


def test_read_other_clinic__gives_the_folds_that_encoders_were_trained_on(tmp_path: Path) -> None:
    # These must never change: a bundle's recipe names folds by number.
    rows = [f"ISIC_{number:07d},BCN_{number:07d},nv,50,female,head/neck" for number in range(8)]
    _clinic(tmp_path, "bcn", BCN, rows)
    assert TEST_FOLDS == (0,)
    assert [case.fold for case in read_other_clinic(other_clinic("bcn"), tmp_path).cases] == [4, 1, 4, 4, 2, 1, 0, 0]


def test_other_clinic__names_those_that_there_are() -> None:
    with pytest.raises(BadInput, match="no other clinic 'ham'; there are msk, bcn"):
        other_clinic("ham")
