"""A download may come with several tables; all that fit are read, unless they disagree."""

import shutil
from pathlib import Path

import pytest

from casekin.collections import open_collection
from casekin.errors import BadInput
from tests.unit.collections.conftest import HEADER, ROWS, jpeg, write_table, write_zip

TEST_ROWS = [
    ["HAM_7", "ISIC_0034524", "nv", "follow_up", "40.0", "female", "back", "vidir_modern"],
    ["HAM_8", "ISIC_0034525", "mel", "histo", "70.0", "male", "face", "rosendahl"],
]
READERS = [["image_id", "prob_mel", "user_dx"], ["ISIC_0034524", "0.1", "nv"]]


def write_complete_record(folder: Path) -> Path:
    """All files of version 4 of HAM10000's record, by their names, with drawn pictures."""
    folder.mkdir(parents=True)
    write_table(folder / "HAM10000_metadata", [HEADER, *ROWS])
    write_zip(folder / "HAM10000_images_part_1.zip", {f"{row[1]}.jpg": jpeg(i) for i, row in enumerate(ROWS[:2])})
    write_zip(folder / "HAM10000_images_part_2.zip", {f"{ROWS[2][1]}.jpg": jpeg(2)})
    masks = {f"HAM10000_segmentations_lesion_tschandl/{row[1]}_segmentation.png": b"mask" for row in ROWS}
    write_zip(folder / "HAM10000_segmentations_lesion_tschandl.zip", masks)
    write_table(folder / "ISIC2018_Task3_Test_GroundTruth.csv", [HEADER, *TEST_ROWS])
    write_table(folder / "ISIC2018_Task3_Test_NatureMedicine_AI_Interaction_Benefit.csv", READERS)
    pictures = {f"ISIC2018_Task3_Test_Images/{row[1]}.jpg": jpeg(90 + i) for i, row in enumerate(TEST_ROWS)}
    write_zip(folder / "ISIC2018_Task3_Test_Images.zip", pictures | {"ISIC2018_Task3_Test_Images/LICENSE.txt": b"CC"})
    return folder


def test_complete_record__both_parts_are_cases_also_with_a_blank_in_the_path(tmp_path: Path) -> None:
    collection = open_collection(write_complete_record(tmp_path / "HAM 10000 complete"))
    assert collection.info.title == "HAM10000"
    assert collection.skipped == []
    assert [row.case.id for row in collection.rows] == ["ISIC_1", "ISIC_2", "ISIC_3", "ISIC_0034524", "ISIC_0034525"]
    assert [row.image.read() for row in collection.rows] == [jpeg(i) for i in (0, 1, 2, 90, 91)]
    assert collection.rows[4].case.lesion_id == "HAM_8"
    assert collection.rows[4].case.source == "rosendahl"


def test_complete_record__unpacked_beside_its_zips_is_read_once(tmp_path: Path) -> None:
    folder = write_complete_record(tmp_path / "ham")
    for archive in sorted(folder.glob("*.zip")):
        shutil.unpack_archive(archive, folder / archive.stem)
    collection = open_collection(folder)
    assert collection.skipped == []
    assert [row.image.read() for row in collection.rows] == [jpeg(i) for i in (0, 1, 2, 90, 91)]


def test_several_tables__the_same_lines_in_two_formats_count_once(make_folder) -> None:
    folder = make_folder()
    write_table(folder / "HAM10000_metadata.tab", [HEADER, *ROWS], delimiter="\t", quoted=True)
    collection = open_collection(folder)
    assert [row.case.id for row in collection.rows] == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert collection.skipped == []


def test_several_tables__that_disagree_are_refused_until_one_is_named(make_folder) -> None:
    folder = make_folder()
    write_table(folder / "older.csv", [HEADER, [*ROWS[0][:2], "mel", *ROWS[0][3:]]])
    with pytest.raises(BadInput) as refusal:
        open_collection(folder)
    for word in ("HAM10000_metadata.csv", "older.csv", "'ISIC_1'", "--metadata"):
        assert word in refusal.value.detail
    assert open_collection(folder, metadata="older.csv").rows[0].case.diagnosis == "mel"
    assert len(open_collection(folder, metadata="./ham10000_METADATA.csv").rows) == 3


def test_several_tables__a_named_one_that_is_missing_says_which_there_are(make_folder) -> None:
    with pytest.raises(BadInput, match=r"no table 'x\.csv'; there is HAM10000_metadata\.csv"):
        open_collection(make_folder(), metadata="x.csv")
